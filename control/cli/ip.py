"""`sendgate ip …` and `sendgate quota`."""

from typing import Annotated

import msgspec
import typer

from control.cli.change import change
from control.cli.removal import Dry, Force, Reason, removed
from control.cli.sending import say_stopped
from control.ledger.status import CLOSED, OPENS
from control.plan.changed import Changed
from control.progress.view import MailboxQuotas
from control.sources.ip import IpChange, Order
from control.sources.ipview import IpQuery, IpView, QuotaQuery
from control.sources.moving import IpMove, IpServer
from control.sources.usage import ALL, UsageView
from control.terminal.client import Client
from control.terminal.invocation import Invocation
from control.terminal.options import Body, filters, options
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused
from policy.model import UNLIMITED

app = typer.Typer(no_args_is_help=True, help="IPs: quota, warm-up stage, pause.")

Tenant = Annotated[str | None, typer.Option(help="Only this tenant's.")]


@app.command("list")
@filters(IpQuery)
def list_(
    context: typer.Context,
    query: Body,
    tenant: Tenant = None,
    limit: Limit = None,
    every: All = False,
) -> None:
    """All IPs."""
    line = line_of(context)
    found = listed(Client(line), "/api/v2/ips", IpView, limit, every, **query, tenant=tenant)
    as_json(found) if line.json else _ips(found)


@app.command()
def show(context: typer.Context, ip: str) -> None:
    """One IP with today's use."""
    line = line_of(context)
    view = Client(line).get(f"/api/v2/ips/{ip}", IpView)
    if line.json:
        as_json(view)
        return
    _ips([view])
    if view.today_missing:
        say(view.today_missing)
    else:
        usage_table([msgspec.structs.replace(u, why="") for u in view.today])


@app.command("set")
@options(
    IpChange,
    but=("state",),
    named={"ceilings": "--ceiling", "host_name": "--host"},
    off={
        "ceilings": "--no-ceilings",
        "per_minute": "--no-per-minute",
        "per_hour": "--no-per-hour",
    },
)
def set_(context: typer.Context, ip: str, body: Body, dry_run: Dry = False) -> None:
    """Change an IP."""
    _change(context, ip, body, "changed", dry_run)


def _order(state: Order, done: str, meaning: str) -> None:
    """A command that puts an IP into a state."""

    @app.command(state, help=meaning)
    def order(context: typer.Context, ip: str, reason: Reason = "", dry_run: Dry = False) -> None:
        _change(context, ip, {"state": state, "reason": reason}, done, dry_run)


_order("pause", "paused", "Send nothing through an IP until `resume`.")
_order("resume", "resumed", "Send through an IP again.")
_order(
    *("retire", "retiring"),
    "Send nothing new through an IP; PowerMTA keeps its VirtualMTA for the mail it has.",
)


@app.command()
@options(IpMove, named={"leaves": "--from"})
def move(context: typer.Context, ip: str, body: Body, dry_run: Dry = False) -> None:
    """Move an IP to another pool of its tenant."""
    change(
        *(context, "POST", f"/api/v2/ips/{ip}/move", body, Changed[IpView]),
        lambda view: f"IP {view.ip} is in {', '.join(view.pools)}",
        dry_run=dry_run,
        show=_ip,
    )


@app.command()
@options(IpServer)
def relocate(
    context: typer.Context, ip: str, body: Body, force: Force = False, dry_run: Dry = False
) -> None:
    """Move an IP that sends nothing to another PowerMTA server."""
    change(
        *(context, "POST", f"/api/v2/ips/{ip}/server", body, Changed[IpView]),
        lambda view: f"IP {view.ip} is on server {view.server}",
        dry_run=dry_run,
        show=_ip,
        force="1" if force else None,
    )


@app.command()
def remove(
    context: typer.Context,
    ip: str,
    force: Force = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Remove a retired IP, once nothing went through it today."""
    removed(context, f"/api/v2/ips/{ip}", f"IP {ip}", dry_run, force, reason)


@filters(QuotaQuery)
def quota(
    context: typer.Context,
    query: Body,
    tenant: Tenant = None,
    limits: Annotated[
        bool, typer.Option("--limits", help="Limits of a minute and an hour instead.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many IPs.")] = None,
    every: All = False,
) -> None:
    """Use of each IP and provider today."""
    line = line_of(context)
    if limits:
        if query:
            raise misused("--limits shows limits, of all IPs or a tenant's: no other filter holds")
        _limits(line, tenant)
        return
    client = Client(line)
    found = listed(client, "/api/v2/quota", UsageView, limit, every, **query, tenant=tenant)
    if line.json:
        as_json(found)
        return
    say_stopped(client)
    usage_table(found)


def _limits(line: Invocation, tenant: str | None) -> None:
    found = Client(line).get("/api/warmup/quota", MailboxQuotas, limit=1, tenant=tenant).limits
    if line.json:
        as_json(found)
        return
    if not found:
        say("no limit of a minute or an hour is set, but for mailboxes'")
        return
    table(
        ("of", "name", "tenant", "in any", "limit", "used", "per cent", "next fits"),
        (
            (
                *(one.level, one.name or "-", one.tenant or "-", one.span),
                *(one.limit, one.used, one.fill),
                one.next or ("now" if one.limit else "never"),
            )
            for one in found
        ),
    )


def usage_table(found: list[UsageView]) -> None:
    """Today's use."""
    table(
        ("tenant", "IP", "provider", "quota", "relayed", "opening", "left", "now", "next free"),
        (
            (
                u.tenant,
                u.ip,
                u.provider,
                "-" if u.provider != ALL and u.quota == UNLIMITED else u.quota,
                u.relayed,
                u.opening,
                u.left,
                u.pace_now,
                u.next_free or u.why or "now",
            )
            for u in found
        ),
    )
    _closed({u.ip: u.why for u in found if u.why == CLOSED})


def _closed(why: dict[str, str]) -> None:
    for ip, text in why.items():
        say(f"{ip} is {text}; {OPENS}")


def _ips(found: list[IpView]) -> None:
    table(
        (
            "id",
            "IP",
            "VirtualMTA",
            "tenant",
            "state",
            "quota",
            "stage",
            "ceilings",
            "burst",
            "a minute",
            "an hour",
            "pools",
        ),
        (
            (
                v.id,
                v.ip,
                v.vmta,
                v.tenant,
                "closed" if v.closed else v.state,
                v.quota,
                f"{v.stage}/{v.stages}" if v.stage else "-",
                v.ceilings,
                v.hourly_share,
                v.per_minute,
                v.per_hour,
                v.pools,
            )
            for v in found
        ),
    )
    _closed({v.ip: v.closed for v in found if v.closed})


def _ip(view: IpView) -> None:
    _ips([view])


def _change(context: typer.Context, ip: str, body: object, what: str, dry_run: bool) -> None:
    change(
        *(context, "PATCH", f"/api/v2/ips/{ip}", body, Changed[IpView]),
        lambda view: f"IP {view.ip} {what}",
        dry_run=dry_run,
        show=_ip,
    )
