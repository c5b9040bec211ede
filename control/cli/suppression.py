"""`sendgate suppression …`: addresses that get no mail any more."""

from typing import Annotated

import typer

from control.cli.removal import Dry, Reason
from control.suppressions.suppressions import Suppressed, SuppressionPage
from control.terminal.client import Client
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
def add(
    context: typer.Context,
    address: str,
    tenant: Tenant = None,
    everybody: Everybody = False,
    reason: Annotated[str, typer.Option(help=f"Of what kind: {', '.join(REASONS)}.")] = "other",
    until: Annotated[
        str | None, typer.Option(help="ISO time at which it ends; without it, never.")
    ] = None,
    note: Annotated[str, typer.Option(help="In your words.")] = "",
    dry_run: Dry = False,
) -> None:
    """Let an address get no mail any more; one that waits is not released either."""
    line = line_of(context)
    body = {"address": address, "tenant": scope(tenant, everybody), "reason": reason}
    body |= {"until": until, "note": note}
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
def list_(
    context: typer.Context,
    tenant: Tenant = None,
    everybody: Everybody = False,
    reason: Kind = None,
    origin: Annotated[str | None, typer.Option(help="rule, hand, import or api.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended, too.")] = False,
    before: Annotated[int | None, typer.Option(help="Of the page before.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
) -> None:
    """The latest changes first; `export` has them all."""
    line = line_of(context)
    page = Client(line).get(
        PATH,
        SuppressionPage,
        tenant=tenant,
        everybody="1" if everybody else None,
        reason=reason,
        origin=origin,
        ended="1" if ended else None,
        before=None if before is None else str(before),
        limit=str(limit),
    )
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
                *(s.address, s.tenant or "all", s.reason, s.origin, s.since, s.until, s.removed),
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
