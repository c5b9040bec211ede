"""`sendgate mailbox …`: limits of single sender addresses, and what they sent."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason, removed
from control.mailboxes.limits import MailboxChange
from control.mailboxes.standing import Discovered, MailboxView
from control.plan.changed import Changed
from control.plan.rows import MailboxRow
from control.terminal.client import Client
from control.terminal.options import Body, nulls, options
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, cell, line_of, table
from control.terminal.usage import misused

app = typer.Typer(no_args_is_help=True, help="Limits of single sender addresses.")

Tenant = Annotated[str, typer.Option()]


@app.command("add", hidden=True)
@app.command("set")
@options(MailboxChange, named={"daily_max": "--max"}, off={"ramp": "--no-ramp"}, some=False)
def set_(
    context: typer.Context, address: str, tenant: Tenant, body: Body, dry_run: Dry = False
) -> None:
    """Add a mailbox, or give it limits of its own, in place of the tenant's."""
    change(
        *(context, "PUT", f"{path(tenant)}/{address}", body, Changed[MailboxRow]),
        lambda view: f"mailbox {view.address}",
        dry_run=dry_run,
        null=nulls(MailboxChange),
    )


@app.command("list")
def list_(
    context: typer.Context,
    tenant: Tenant,
    containing: Annotated[str | None, typer.Option(help="Only addresses with this.")] = None,
    discovered: Annotated[
        bool, typer.Option("--discovered", help="Those that send and were not added.")
    ] = False,
    limit: Limit = None,
    every: All = False,
) -> None:
    """Mailboxes with limits of their own, or those that were discovered."""
    line = line_of(context)
    client = Client(line)
    if discovered and limit is not None:
        raise misused("--limit: what is discovered is found by a walk, and shown whole")
    if discovered:
        _discovered(client, tenant, containing, as_is=line.json)
        return
    found = listed(client, path(tenant), MailboxRow, limit, every, containing=containing)
    if line.json:
        as_json(found)
        return
    table(
        (
            *("id", "mailbox", "daily maximum", "daily minimum", "spacing", "ramp"),
            *("a minute", "an hour"),
        ),
        (
            (
                *(m.id, m.address, _own(m.daily_max), _own(m.daily_min), _spacing(m), _ramp(m)),
                *(_own(m.per_minute), _own(m.per_hour)),
            )
            for m in found
        ),
    )


def _discovered(client: Client, tenant: str, containing: str | None, *, as_is: bool) -> None:
    found: dict[str, MailboxView] = {}
    cursor: str | None = "0"
    while cursor is not None:
        part = client.get(f"{path(tenant)}/discovered", Discovered, cursor=cursor)
        found |= {m.address: m for m in part.mailboxes if (containing or "") in m.address}
        cursor = part.cursor
    views = [found[address] for address in sorted(found)]
    if as_is:
        as_json(views)
        return
    table(
        ("mailbox", "since", "sent today", "may send", "stage", "lacks", "last", "next"),
        (
            (m.address, m.first, m.sent, m.most, _stage(m), m.behind, m.last, m.next or m.never)
            for m in views
        ),
    )


@app.command()
def show(context: typer.Context, address: str, tenant: Tenant) -> None:
    """One mailbox: what it sent today, what it may and should send, and when."""
    line = line_of(context)
    m = Client(line).get(f"{path(tenant)}/{address}", MailboxView)
    if line.json:
        as_json(m)
        return
    table(
        ("mailbox", m.address),
        [
            ("added", "yes" if m.added else "no: discovered"),
            ("sent today", m.sent),
            ("sent yesterday", m.sent_yesterday),
            ("may send today", m.most),
            ("as says", _LIMITS.get(m.limit, m.limit)),
            ("stage of its ramp", _stage(m)),
            ("should send today", m.least),
            ("lacks to that", m.behind),
            ("began", m.first),
            ("sent last", m.last),
            ("may send next", _next(m)),
            *(("limits of its own", own) for own in _limits(m.limits)),
        ],
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
    what = f"mailbox {address}"
    removed(context, f"{path(tenant)}/{address}", what, dry_run, False, reason)


def path(tenant: str) -> str:
    """Of a tenant's mailboxes."""
    return f"/api/v2/tenants/{tenant}/mailboxes"


_LIMITS = {"mailbox_max": "its daily maximum", "mailbox_ramp": "its ramp"}


def _limits(row: MailboxRow | None) -> list[str]:
    """Those that it has, in one line; none: the tenant's hold."""
    if row is None:
        return []
    fields = ("daily_max", "daily_min", "spacing", "spacing_max", "ramp", "ramp_from")
    named = {f: getattr(row, f) for f in (*fields, "per_minute", "per_hour")}
    given = {f: "none" if value == [] else value for f, value in named.items() if value is not None}
    return [", ".join(f"{f} {cell(value)}" for f, value in given.items()) or "none: the tenant's"]


def _own(value: int | None) -> int | str:
    return "tenant's" if value is None else value


def _spacing(row: MailboxRow) -> str:
    if row.spacing is None:
        return "tenant's"
    drawn = "" if row.spacing_max is None else f"–{row.spacing_max:g}"
    return f"{row.spacing:g}{drawn} s"


def _ramp(row: MailboxRow) -> str:
    if row.ramp is None:
        return "tenant's"
    since = f" from {row.ramp_from}" if row.ramp_from else ""
    return (" ".join(map(str, row.ramp)) or "none") + since


def _next(view: MailboxView) -> str:
    return f"never: {view.never}" if view.never else view.next or "now"


def _stage(view: MailboxView) -> str:
    return f"{view.stage} of {view.stages}" if view.stage else ""
