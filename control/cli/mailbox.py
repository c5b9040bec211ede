"""`sendgate mailbox …`: limits of single sender addresses."""

from typing import Annotated, Any

import typer

from control.cli.removal import Dry, Reason, removed
from control.plan.changed import Changed
from control.plan.rows import MailboxRow
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, said, table
from control.terminal.usage import finite, misused, number_or_none

app = typer.Typer(no_args_is_help=True, help="Limits of single sender addresses.")

Tenant = Annotated[str, typer.Option()]


@app.command("set")
def set_(
    context: typer.Context,
    address: str,
    tenant: Tenant,
    most: Annotated[str | None, typer.Option("--max", help="Recipients a day, or none.")] = None,
    least: Annotated[
        str | None,
        typer.Option("--daily-min", help="Should send a day: goes first when behind; or none."),
    ] = None,
    spacing: Annotated[float | None, typer.Option(help="Seconds between two messages.")] = None,
    dry_run: Dry = False,
) -> None:
    """Give a mailbox limits of its own, in place of the tenant's."""
    if most is None and least is None and spacing is None:
        raise misused("mailbox set: give --max, --daily-min or --spacing")
    body: dict[str, Any] = {}
    if most is not None:
        body["daily_max"] = number_or_none("--max", most)
    if least is not None:
        body["daily_min"] = number_or_none("--daily-min", least)
    if spacing is not None:
        body["spacing"] = finite("--spacing", spacing)
    line = line_of(context)
    changed = Client(line).send(
        "PUT", f"{_path(tenant)}/{address}", body, Changed[MailboxRow], dry_run=dry_run
    )
    as_json(changed) if line.json else said(changed, f"mailbox {changed.view.address}")


@app.command("list")
def list_(context: typer.Context, tenant: Tenant) -> None:
    """Mailboxes with limits of their own."""
    line = line_of(context)
    found = Client(line).pages(_path(tenant), MailboxRow, lambda m: m.address)
    if line.json:
        as_json(found)
        return
    table(
        ("id", "mailbox", "daily maximum", "daily minimum", "spacing"),
        ((m.id, m.address, m.daily_max, m.daily_min, m.spacing) for m in found),
    )


@app.command()
def remove(
    context: typer.Context,
    address: str,
    tenant: Tenant,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Take a mailbox's own limits away: the tenant's hold for it again."""
    path, what = f"{_path(tenant)}/{address}", f"mailbox {address}"
    removed(context, path, what, dry_run, False, reason)


def _path(tenant: str) -> str:
    return f"/api/v2/tenants/{tenant}/mailboxes"
