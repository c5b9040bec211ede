"""The ramp of an IP, day by day: what its plan says, what it sent, what would be. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from control.console.drawn import Chart, Line, days_of, place
from control.warmup.plans import PlanView
from control.warmup.simulation import Simulation
from control.warmup.view import WarmupView

PAST, AHEAD = 30, 14
"""Days that are shown. A ladder doubles from week to week: behind two of them what was sent so far
would be a line on the ground."""


class RampDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day; null: it is not known, or not yet, or over."""

    day: str
    planned: int | None
    """By the ladder of its plan, from when its stage began."""
    sent: int | None
    would: int | None
    """What it would send, were it given all that it may, with evidence as it was."""


def ramp(
    days: Sequence[str],
    today: str,
    warm: WarmupView,
    plan: PlanView | None,
    sent: Mapping[str, int],
    ahead: Simulation | None,
) -> list[RampDay]:
    """`sent`: by day; today's among them."""
    steps = _ladder(days, warm, plan)
    would = {} if ahead is None else {one.date: one.sent for one in ahead.days}
    return [
        RampDay(
            day=day,
            planned=steps.get(day),
            sent=sent.get(day, 0) if day <= today else None,
            would=would.get(day) if day >= today else None,
        )
        for day in days
    ]


def chart(days: Sequence[RampDay]) -> Chart:
    """Planned as steps, sent as bars, what would be dashed."""
    return Chart(
        places=[place(one.day) for one in days],
        days=True,
        lines=[
            Line(label="sent", values=[d.sent for d in days], kind="bars", colour="fill"),
            Line(label="planned", values=[d.planned for d in days], kind="steps", colour="mark"),
            Line(label="what if", values=[d.would for d in days], kind="dashed", colour="warn"),
        ],
    )


def _ladder(days: Sequence[str], warm: WarmupView, plan: PlanView | None) -> dict[str, int]:
    """A plan's stages, each as long as it is meant to be, with the one of now where it began; what
    is behind the last one is its."""
    if plan is None or warm.stage is None or not plan.stages or not days:
        return {}
    known = {one.stage: one.quota for one in plan.stages}
    began = warm.since[:10]
    first, last = min(days[0], began), max(days[-1], began)
    places = {day: at for at, day in enumerate(days_of(first, last))}
    found = {}
    for day in days:
        stage = warm.stage + (places[day] - places[began]) // plan.days
        if stage >= 1:
            found[day] = known[min(stage, max(known))]
    return found
