"""`sendgate warmup …`: what warm-up does and why, and what people do to it."""

from typing import Annotated, Any

import typer

from control.cli import consolidation, sending, takeover, warmupplan, whatif
from control.cli.change import change
from control.cli.removal import Dry
from control.cli.sending import say_stopped
from control.plan.changed import Changed
from control.terminal.client import Client
from control.terminal.options import Body, filters, options
from control.terminal.parts import All, Limit, listed, part_of
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused
from control.warmup.byhand import Action, HandAct
from control.warmup.decision import DecisionPage, DecisionQuery
from control.warmup.view import WarmupQuery, WarmupView

app = typer.Typer(no_args_is_help=True, help="Warm-up: where IPs are, what comes next, and why.")
app.add_typer(warmupplan.app, name="plan")
app.command()(sending.start)
app.command()(sending.stop)
app.command()(sending.trigger)
app.command()(consolidation.consolidate)
app.command()(consolidation.days)
app.command()(whatif.simulate)
app.command("import")(takeover.import_)

PATH = "/api/v2/warmup"


@app.command()
@filters(WarmupQuery, but=("ip",))
def status(
    context: typer.Context,
    query: Body,
    ip: Annotated[str | None, typer.Argument(help="One IP, with what comes next.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    limit: Limit = None,
    every: All = False,
) -> None:
    """Stage, evidence and what would be decided if the day ended now."""
    line = line_of(context)
    client = Client(line)
    if ip is None:
        found = listed(client, PATH, WarmupView, limit, every, **query, tenant=tenant)
    elif query:
        raise misused("an IP is shown by itself: no filter holds")
    else:
        found = [client.get(f"{PATH}/ips/{ip}", WarmupView)]
    if line.json:
        as_json(found if ip is None else found[0])
        return
    say_stopped(client)
    _table(found)
    if ip is not None:
        _more(found[0])


@app.command()
@filters(DecisionQuery, but=("ip",))
def decisions(
    context: typer.Context,
    query: Body,
    ip: Annotated[str | None, typer.Argument(help="Only this IP's.")] = None,
    every: All = False,
) -> None:
    """What was decided, each with its sentence; the newest first."""
    line = line_of(context)
    page = part_of(
        *(Client(line), f"{PATH}/decisions", DecisionPage, {"ip": ip, **query}),
        every=every,
        rows="decisions",
    )
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


def _act(action: Action, meaning: str, *but: str) -> None:
    """A command that does something by hand; `but`: fields that it has no use for."""

    @app.command(action, help=meaning)
    @options(HandAct, but=("action", *but))
    def act(context: typer.Context, ip: str, body: Body, dry_run: Dry = False) -> None:
        change(
            *(context, "POST", f"{PATH}/ips/{ip}", {"action": action, **body}),
            Changed[WarmupView],
            lambda view: f"warm-up of {view.ip}: {action}",
            dry_run=dry_run,
            show=lambda view: _table([view]),
        )


_act("advance", "Take a stage now; it stands for some days, whatever the evidence says.")
_act(
    "pause",
    "Send nothing, at all or to one provider; it goes on at the same stage.",
    "stage",
)
_act(
    "resume",
    "Send again; an IP with a quota of its own goes back to its plan.",
    "days",
)
_act(
    "override",
    "Keep the stage for some days: no step either way but a pause that is proven.",
    "stage",
)
_act("cancel", "End what stands by hand before its time.", "stage", "days")


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
