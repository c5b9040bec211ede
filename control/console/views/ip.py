"""One IP: its ladder, what today is filled with, on what evidence, what was decided, and what an
operator may do about it."""

import datetime
from collections.abc import Mapping
from typing import Any

from control.console import ramp
from control.console.drawn import days_of
from control.console.page import Action, Done, Page
from control.console.told import trying
from control.console.views.ips import WARMUP
from control.console.views.period import STATISTICS
from control.console.visit import Part, Visit
from control.plan.changed import Changed
from control.problem import RefusedError
from control.sources.usage import ALL, UsageView
from control.statistics.row import StatisticsPage
from control.warmup.plans import PlanView
from control.warmup.simulation import Simulation
from control.warmup.view import WarmupView

ONE = f"{WARMUP}/ips/{{ip}}"
PLAN = f"{WARMUP}/plans/{{name}}"
DECISIONS = f"{WARMUP}/decisions"
SIMULATION = ("POST", f"{WARMUP}/simulation")
PART = 20
LABELS = {
    "advance": "Advance a stage",
    "pause": "Pause",
    "resume": "Resume",
    "override": "Keep as it is",
    "cancel": "Cancel what stands by hand",
}


async def view(visit: Visit) -> Mapping[str, Any]:
    """`ip` of the path."""
    warm: WarmupView = await visit.ask("GET", ONE, names=_named(visit))
    use = await visit.part("GET", "/api/v2/ips/{ip}", names=_named(visit))
    rows = [] if use.away else use.found.today
    today = next((row for row in rows if row.provider == ALL), None)
    asked = {"ip": warm.ip, "limit": PART, "after": visit.query.get("after")}
    decisions, after = await visit.listed("GET", DECISIONS, query=asked)
    plan = await _plan(visit, warm)
    days = await _ramp(visit, warm, plan, today)
    return {
        "title": warm.ip,
        "warm": warm,
        "use": use,
        "today": today,
        "providers": [row for row in rows if row.provider != ALL],
        "plan": plan,
        "ramp": days,
        "chart": ramp.chart(days),
        "decisions": decisions.decisions,
        "after": after,
        "labels": LABELS,
    }


async def _plan(visit: Visit, warm: WarmupView) -> PlanView | None:
    """Its ladder, for who may see plans."""
    if warm.plan is None or not visit.may("GET", PLAN):
        return None
    found: Part = await visit.part("GET", PLAN, names={"name": warm.plan})
    return found.found  # type: ignore[no-any-return]


async def _ramp(
    visit: Visit, warm: WarmupView, plan: PlanView | None, today: UsageView | None
) -> list[ramp.RampDay]:
    """Some days back and ahead; nothing for who may not see what was sent."""
    if not visit.may(*STATISTICS):
        return []
    # Which day it is, the route says: the calendar is the ledger's.
    week: StatisticsPage = await visit.ask(*STATISTICS, query={"by": "day", "limit": 1})
    now = datetime.date.fromisoformat(week.last)
    first, last = (str(now + datetime.timedelta(days=n)) for n in (-ramp.PAST, ramp.AHEAD))
    asked = {"by": "day", "ip": warm.ip, "from": first, "to": week.last}
    sums: StatisticsPage = await visit.ask(*STATISTICS, query=asked)
    sent = {str(row.day): row.relayed for row in sums.rows}
    if today is not None:
        # Accounting is seconds behind, or is not read at all.
        sent[week.last] = max(today.relayed, sent.get(week.last, 0))
    ahead = await _ahead(visit, warm)
    return ramp.ramp(days_of(first, last), week.last, warm, plan, sent, ahead)


async def _ahead(visit: Visit, warm: WarmupView) -> Simulation | None:
    """What would be; None: it follows no plan, or there is no saying."""
    if warm.plan is None or not visit.may(*SIMULATION):
        return None
    body = {"ip": warm.ip, "days": ramp.AHEAD}
    try:
        found: Simulation = await visit.ask(*SIMULATION, body=body)
    except RefusedError as error:
        if error.status not in (400, 409, 422, 503):
            raise
        return None
    return found


async def do(visit: Visit) -> Done:
    """One act by hand, tried first."""
    body = visit.given("action", "reason", "provider") | visit.numbers("days", "stage")
    done: Changed[WarmupView] = await visit.ask(
        *("POST", ONE),
        names=_named(visit),
        query=trying(visit),
        body=body,
    )
    after = done.view
    quota = "unlimited" if after.quota is None else f"{after.quota:,} a day"
    stands = f", {after.override}" if after.override else ""
    would = "would be" if done.dry_run else "is"
    return Done(f"{after.ip} {would} {after.state}, {quota}{stands}.", notes=tuple(done.notes))


def _named(visit: Visit) -> dict[str, str]:
    return {"ip": visit.names["ip"]}


PAGE = Page(
    path="/ips/{ip}",
    title="One IP",
    template="ip.html",
    view=view,
    needs=("GET", ONE),
    under="/ips",
    actions={"act": Action(("POST", ONE), do, "Do it", tried=True)},
)
