"""`sendgate domain …`."""

from typing import Annotated

import typer

from control.cli import publication, rotation
from control.cli.change import change
from control.cli.removal import Dry, Force, Reason, removed
from control.plan.changed import Changed
from control.sources.dns import Record, zone_text
from control.sources.domain import NewDomain
from control.sources.domainview import DomainQuery, DomainView
from control.sources.moving import DomainMove
from control.terminal.client import Client
from control.terminal.options import Body, filters, options
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="Sending domains, with their IPs and DNS records.")
app.command()(publication.check)
app.command()(publication.records)
app.command()(rotation.rotate)


@app.command()
@options(NewDomain)
def add(context: typer.Context, body: Body, dry_run: Dry = False) -> None:
    """Add a domain, its DKIM key, IP, VirtualMTA and warm-up plan; print its DNS records.

    A domain that is there gets one more IP."""
    change(
        *(context, "POST", "/api/v2/domains", body, Changed[DomainView]),
        lambda view: f"domain {view.domain} on {', '.join(view.vmtas)} (pool {view.pool})",
        dry_run=dry_run,
        show=_dns,
    )


@app.command("list")
@filters(DomainQuery)
def list_(
    context: typer.Context,
    query: Body,
    tenant: Annotated[str | None, typer.Option()] = None,
    limit: Limit = None,
    every: All = False,
) -> None:
    """Sending domains."""
    line = line_of(context)
    found = listed(
        Client(line), "/api/v2/domains", DomainView, limit, every, **query, tenant=tenant
    )
    if line.json:
        as_json(found)
        return
    table(
        ("id", "tenant", "domain", "pool", "VirtualMTAs", "DKIM selector", "rotation"),
        (
            (d.id, d.tenant, d.domain, d.pool, d.vmtas, d.dkim_selector, rotation.short(d))
            for d in found
        ),
    )


@app.command()
def show(
    context: typer.Context, domain: str, tenant: Annotated[str | None, typer.Option()] = None
) -> None:
    """One sending domain with its DNS records."""
    line = line_of(context)
    view = Client(line).get(f"/api/v2/domains/{domain}", DomainView, tenant=tenant)
    if line.json:
        as_json(view)
        return
    table(
        ("id", "tenant", "domain", "pool", "VirtualMTAs"),
        [(view.id, view.tenant, view.domain, view.pool, view.vmtas)],
    )
    rotation.say_stage(view)
    _dns(view)


@app.command()
@options(DomainMove)
def move(
    context: typer.Context,
    domain: str,
    body: Body,
    tenant: Annotated[str | None, typer.Option()] = None,
    dry_run: Dry = False,
) -> None:
    """Let a domain use another pool of its tenant; held mail goes with it."""
    change(
        *(context, "POST", f"/api/v2/domains/{domain}/move", body, Changed[DomainView]),
        lambda view: f"domain {view.domain} uses pool {view.pool}",
        dry_run=dry_run,
        show=_dns,
        tenant=tenant,
    )


@app.command()
def remove(
    context: typer.Context,
    domain: str,
    tenant: Annotated[str | None, typer.Option()] = None,
    force: Force = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Remove a domain and its DKIM key, once nothing of it is held; its IPs stay."""
    path, what = f"/api/v2/domains/{domain}", f"domain {domain}"
    removed(context, path, what, dry_run, force, reason, tenant=tenant)


def _dns(view: DomainView) -> None:
    say("DNS records to publish:")
    _records(view.records)
    if view.also:
        say("other domains of the tenant, changed with it:")
        _records(view.also)


_MARKS = {"": "", "new": " (NEW)", "changed": " (CHANGED: replace what is published)"}


def _records(records: list[Record]) -> None:
    # Where all is new, saying so at every line says nothing.
    marks = any(record.change != "new" for record in records)
    for record in records:
        say(f"; {record.why}{_MARKS[record.change] if marks else ''}")
        say(zone_text(record))
