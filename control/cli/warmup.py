"""`sendgate warmup …`: what warm-up does and why, and what people do to it."""

from typing import Annotated, Any

import typer

from control.cli import consolidation, takeover, warmupplan, whatif
from control.cli.removal import Dry
from control.plan.changed import Changed
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.show import as_json, line_of, said, say, table
from control.warmup.byhand import STANDS
from control.warmup.decision import DecisionPage, DecisionQuery
from control.warmup.view import WarmupView

app = typer.Typer(no_args_is_help=True, help="Warm-up: where IPs are, what comes next, and why.")
app.add_typer(warmupplan.app, name="plan")
app.command()(consolidation.consolidate)
app.command()(consolidation.days)
app.command()(whatif.simulate)
app.command("import")(takeover.import_)

PATH = "/api/v2/warmup"

Why = Annotated[str, typer.Option("--reason", help="Why; it stands beside the decision.")]
Days = Annotated[
    int | None, typer.Option("--days", min=1, max=365, help=f"Days after which it ends; {STANDS}.")
]
Provider = Annotated[str | None, typer.Option(help="At this provider alone.")]
Stage = Annotated[int | None, typer.Option(min=1, max=520, help="The stage it goes on at.")]


@app.command()
def status(
    context: typer.Context,
    ip: Annotated[str | None, typer.Argument(help="One IP, with what comes next.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
) -> None:
    """Stage, evidence and what would be decided if the day ended now."""
    line = line_of(context)
    client = Client(line)
    if ip is None:
        found = client.pages(PATH, WarmupView, lambda v: v.vmta, tenant=tenant)
    else:
        found = [client.get(f"{PATH}/ips/{ip}", WarmupView)]
    if line.json:
        as_json(found if ip is None else found[0])
        return
    _table(found)
    if ip is not None:
        _more(found[0])


@app.command()
@filters(DecisionQuery, but=("ip",))
def decisions(
    context: typer.Context,
    query: Body,
    ip: Annotated[str | None, typer.Argument(help="Only this IP's.")] = None,
) -> None:
    """What was decided, each with its sentence; the newest first."""
    line = line_of(context)
    page = Client(line).get(f"{PATH}/decisions", DecisionPage, ip=ip, **query)
    if line.json:
        as_json(page)
        return
    table(
        ("at", "IP", "provider", "act", "who", "why"),
        (
            (d.at, d.ip or f"pool {d.pool}", d.provider or "all", d.act, d.who, _why(d.sentence, d))
            for d in page.decisions
        ),
    )
    if page.before is not None:
        say(f"more: --before {page.before}")


@app.command()
def advance(
    context: typer.Context,
    ip: str,
    reason: Why,
    stage: Stage = None,
    days: Days = None,
    provider: Provider = None,
    dry_run: Dry = False,
) -> None:
    """Take a stage now; it stands for some days, whatever the evidence says."""
    more = {"stage": stage, "days": days, "provider": provider}
    _act(context, ip, "advance", reason, more, dry_run)


@app.command()
def pause(
    context: typer.Context,
    ip: str,
    reason: Why,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, max=365, help="Days after which it ends; by hand alone."),
    ] = None,
    provider: Provider = None,
    dry_run: Dry = False,
) -> None:
    """Send nothing, at all or to one provider; it goes on at the same stage."""
    _act(context, ip, "pause", reason, {"days": days, "provider": provider}, dry_run)


@app.command()
def resume(
    context: typer.Context,
    ip: str,
    reason: Why,
    stage: Stage = None,
    provider: Provider = None,
    dry_run: Dry = False,
) -> None:
    """Send again; an IP with a quota of its own goes back to its plan."""
    _act(context, ip, "resume", reason, {"stage": stage, "provider": provider}, dry_run)


@app.command()
def override(
    context: typer.Context,
    ip: str,
    reason: Why,
    days: Days = None,
    provider: Provider = None,
    dry_run: Dry = False,
) -> None:
    """Keep the stage for some days: no step either way but a pause that is proven."""
    _act(context, ip, "override", reason, {"days": days, "provider": provider}, dry_run)


@app.command()
def cancel(
    context: typer.Context,
    ip: str,
    reason: Why,
    provider: Provider = None,
    dry_run: Dry = False,
) -> None:
    """End what stands by hand before its time."""
    _act(context, ip, "cancel", reason, {"provider": provider}, dry_run)


def _act(
    context: typer.Context, ip: str, action: str, reason: str, more: dict[str, Any], dry_run: bool
) -> None:
    line = line_of(context)
    body = {"action": action, "reason": reason} | {k: v for k, v in more.items() if v is not None}
    changed = Client(line).send(
        "POST", f"{PATH}/ips/{ip}", body, Changed[WarmupView], dry_run=dry_run
    )
    if line.json:
        as_json(changed)
        return
    said(changed, f"warm-up of {changed.view.ip}: {action}")
    _table([changed.view])


def _table(found: list[WarmupView]) -> None:
    table(
        (
            "IP",
            "tenant",
            "state",
            "stage",
            "quota",
            "counted days",
            "bounces",
            "complaints",
            "next",
        ),
        (
            (
                *(v.ip, v.tenant, v.state, f"{v.stage}/{v.stages}" if v.stage else "-"),
                "unlimited" if v.quota is None else v.quota,
                f"{v.counted_days}/{v.needed_days}",
                *(f"{v.bounce_rate_7d:g} %", f"{v.spam_rate_7d:g} %"),
                f"kept: {v.override}" if v.override else v.act,
            )
            for v in found
        ),
    )


def _more(one: WarmupView) -> None:
    if one.override:
        say(f"by hand until {one.override_ends}: {one.override}")
    if one.pause_ends:
        say(f"the pause ends on {one.pause_ends[:10]}")
    if one.next:
        say(f"if the day ended now: {one.next}")
    if one.providers:
        table(
            ("provider", "state", "stage", "pause ends", "if the day ended now"),
            (
                (p.provider, p.state, p.stage or "-", (p.pause_ends or "-")[:10], p.next or "-")
                for p in one.providers
            ),
        )


def _why(sentence: str, decision: Any) -> str:
    return f"{sentence} ({decision.reason})" if decision.reason else sentence
