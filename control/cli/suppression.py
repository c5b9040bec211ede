"""`sendgate suppression …`: addresses that get no mail any more."""

from typing import Annotated

import typer

from control.cli.removal import Dry, Reason
from control.suppressions.entry import NewSuppression
from control.suppressions.suppressions import Suppressed, SuppressionPage, SuppressionQuery
from control.terminal.client import Client
from control.terminal.options import Body, filters, options
from control.terminal.parts import All, part_of
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused
from policy.suppression import REASONS

app = typer.Typer(no_args_is_help=True, help="Addresses that get no mail any more.")

PATH = "/api/v2/suppressions"

Tenant = Annotated[str | None, typer.Option(help="Of this tenant's mail.")]
Everybody = Annotated[bool, typer.Option("--everybody", help="Of all tenants' mail.")]
Kind = Annotated[str | None, typer.Option("--reason", help=f"One of {', '.join(REASONS)}.")]


def scope(tenant: str | None, everybody: bool) -> str | None:
    """The tenant, or None for all: never by leaving it out. Raises UsageError."""
    if (tenant is None) != everybody:
        raise misused("say whose mail: --tenant NAME, or --everybody for all tenants")
    return tenant


@app.command()
@options(NewSuppression, but=("address", "tenant"), some=False)
def add(
    context: typer.Context,
    address: str,
    body: Body,
    tenant: Tenant = None,
    everybody: Everybody = False,
    dry_run: Dry = False,
) -> None:
    """Let an address get no mail any more; one that waits is not released either."""
    line = line_of(context)
    body = Body({"address": address, "tenant": scope(tenant, everybody), **body})
    done = Client(line).send("POST", PATH, body, Suppressed, dry_run=dry_run, by="hand")
    as_json(done) if line.json else _said(done, "suppressed")


@app.command()
def remove(
    context: typer.Context,
    address: str,
    tenant: Tenant = None,
    everybody: Everybody = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Let an address get mail again; an older bounce does not bring it back, a new one does."""
    line = line_of(context)
    done = Client(line).send(
        *("DELETE", PATH, None, Suppressed),
        dry_run=dry_run,
        tenant=scope(tenant, everybody),
        address=address,
        reason=reason or None,
    )
    as_json(done) if line.json else _said(done, "gets mail again")


@app.command("list")
@filters(SuppressionQuery, but=("address", "after"))
def list_(context: typer.Context, query: Body, every: All = False) -> None:
    """The latest changes first; `export` has them all."""
    line = line_of(context)
    page = part_of(Client(line), PATH, SuppressionPage, query, every=every, rows="suppressions")
    if line.json:
        as_json(page)
        return
    _table(page)
    if page.before is not None:
        say(f"more: --before {page.before}")


@app.command()
def show(context: typer.Context, address: str, tenant: Tenant = None) -> None:
    """Whether an address gets mail, of whom, and since when not; what was removed, too."""
    line = line_of(context)
    page = Client(line).get(PATH, SuppressionPage, address=address, tenant=tenant, ended="1")
    if line.json:
        as_json(page)
    elif page.suppressions:
        _table(page)
    else:
        say(f"{address} is not suppressed, and was not")


def _table(page: SuppressionPage) -> None:
    table(
        ("address", "tenant", "reason", "origin", "since", "until", "removed", "by", "note"),
        (
            (
                *(
                    s.address or "(forgotten)",
                    s.tenant or "all",
                    s.reason,
                    s.origin,
                    s.since,
                    s.until,
                    s.removed,
                ),
                *(s.who, s.note),
            )
            for s in page.suppressions
        ),
    )


def _said(done: Suppressed, what: str) -> None:
    one = done.suppression
    whose = f"for tenant {one.tenant}" if one.tenant else "for all tenants"
    if not done.changed:
        say(f"nothing to do: {one.address} is like that already {whose}")
    elif done.dry_run:
        say(f"{one.address}: {what} {whose} would be so (dry run, nothing was changed)")
    else:
        say(f"{one.address}: {what} {whose}")
