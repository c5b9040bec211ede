"""`sendgate warmup simulate` and `sendgate plan growth`: the rule played forward."""

from pathlib import Path
from typing import Annotated

import typer

from control.ledger.clock import step_seconds
from control.problem import RefusedError
from control.terminal.chart import plot
from control.terminal.chart import svg as chart
from control.terminal.client import Client
from control.terminal.options import Body, options
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused
from control.warmup.simulation import SimulatedDay, Simulation, SimulationAsked
from control.warmup.whatif import Growth
from policy.number import count

PATH = "/api/v2/warmup"

Plan = Annotated[str | None, typer.Option(help="Warm-up plan; else the IP's, else default.")]
Svg = Annotated[Path | None, typer.Option("--svg", help="Draw it to this file, too.")]


@options(SimulationAsked, but=("ip",), named={"shares": "--share"}, some=False)
def simulate(
    context: typer.Context,
    body: Body,
    ip: Annotated[str | None, typer.Argument(help="From where this IP is; else stage 1.")] = None,
    svg: Svg = None,
) -> None:
    """Play warm-up forward: when it is ACTIVE, what it sends, what waits, where it would pause."""
    line = line_of(context)
    if ip is not None:
        body = Body({**body, "ip": ip})
    found = Client(line).send("POST", f"{PATH}/simulation", body, Simulation)
    dates, sent, quota = zip(*((d.date, d.sent, d.quota) for d in found.days), strict=True)
    if svg is not None:
        drawn = chart(f"Warm-up, plan {found.plan}", dates, {"quota a day": quota, "sent": sent})
        _draw(svg, drawn)
    if line.json:
        as_json(found)
        return
    say(
        f"plan {found.plan}, {found.bounces:g} % bounces, {found.complaints:g} % complaints: "
        + (
            f"ACTIVE on {found.active_on}"
            if found.active_on
            else f"not ACTIVE in {len(found.days)} days"
        )
        + (f"; it pauses on {found.paused_on}" if found.paused_on else "")
    )
    say("recipients a day: █ sent, ┄ may be sent")
    for text in plot(dates, sent, quota):
        say(text)
    table(
        ("date", "stage", "state", "quota", "sent", "waiting", "waits", "why"),
        (
            (
                *(d.date, d.stage, d.state, d.quota, d.sent, d.waiting, f"{d.waits_days:g} days"),
                d.sentence,
            )
            for d in _turns(found.days)
        ),
    )
    _providers(found.days)


def growth(
    context: typer.Context,
    domains: Annotated[int, typer.Option(min=1, max=1000, help="How many, an IP each.")] = 50,
    every: Annotated[str, typer.Option(help="Between two of them: whole days, as 7d.")] = "7d",
    plan: Annotated[str | None, typer.Option(help="Warm-up plan; else default.")] = None,
    bounces: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Per cent of relayed; else a healthy IP's."),
    ] = None,
    complaints: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Per cent of delivered; else a healthy IP's."),
    ] = None,
    svg: Svg = None,
) -> None:
    """What domains that begin one after another may send, week by week, by the rule itself."""
    line = line_of(context)
    try:
        seconds = step_seconds(every)
    except RefusedError as error:
        raise misused(f"--every: {every!r} is not a time such as 7d") from error
    if seconds % 86_400 or seconds > 365 * 86_400:
        raise misused(f"--every: expected whole days up to 365d, such as 7d, not {every!r}")
    asked = {"plan": plan, "bounces": bounces, "complaints": complaints}
    body = {key: value for key, value in asked.items() if value is not None}
    body |= {"domains": domains, "every": seconds}
    found = Client(line).send("POST", f"{PATH}/growth", body, Growth)
    if svg is not None:
        weeks = [f"week {w.week}" for w in found.weeks]
        drawn = chart(
            f"{domains} domains, one every {every}",
            weeks,
            {"recipients a day": [w.capacity for w in found.weeks]},
        )
        _draw(svg, drawn)
    if line.json:
        as_json(found)
        return
    table(
        ("week", "begun", "ACTIVE", "recipients a day"),
        ((w.week, w.begun, w.active, w.capacity) for w in found.weeks),
    )
    if found.all_active_week is None:
        say(f"not all of them are ACTIVE after {count(len(found.weeks), 'week')}, with these rates")
    else:
        whose = "it is" if domains == 1 else f"all {domains} are"
        say(f"{whose} ACTIVE in week {found.all_active_week}")


def _providers(days: list[SimulatedDay]) -> None:
    """What they do of their own, and where they are in the end."""
    if not days[-1].providers:
        return
    table(
        ("date", "provider", "stage", "a day", "sent", "waiting", "act", "why"),
        (
            (
                *(day.date, p.provider, "paused" if p.paused else p.stage, p.ceiling, p.sent),
                *(p.waiting, p.act or "-", p.sentence or "-"),
            )
            for day in days
            for p in day.providers
            if p.act or day is days[-1]
        ),
    )


def _turns(days: list[SimulatedDay]) -> list[SimulatedDay]:
    """The days on which something changes, and the last."""
    return [d for at, d in enumerate(days) if at in (0, len(days) - 1) or d.act]


def _draw(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"cannot write {path}: {error.strerror}") from error
