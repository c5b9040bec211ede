"""`sendgate mailbox …`: limits of single sender addresses."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason, removed
from control.plan.changed import Changed
from control.plan.rows import MailboxRow
from control.tenants.terms import MailboxChange
from control.terminal.client import Client
from control.terminal.options import Body, options
from control.terminal.show import as_json, line_of, table

app = typer.Typer(no_args_is_help=True, help="Limits of single sender addresses.")

Tenant = Annotated[str, typer.Option()]


@app.command("set")
@options(MailboxChange, named={"daily_max": "--max"})
def set_(
    context: typer.Context, address: str, tenant: Tenant, body: Body, dry_run: Dry = False
) -> None:
    """Give a mailbox limits of its own, in place of the tenant's."""
    change(
        *(context, "PUT", f"{_path(tenant)}/{address}", body, Changed[MailboxRow]),
        lambda view: f"mailbox {view.address}",
        dry_run=dry_run,
    )


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
