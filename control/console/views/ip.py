"""One IP: its ladder, what today is filled with, on what evidence, what was decided, and what an
operator may do about it."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.told import trying
from control.console.views.ips import WARMUP
from control.console.visit import Part, Visit
from control.plan.changed import Changed
from control.sources.usage import ALL
from control.warmup.plans import PlanView
from control.warmup.view import WarmupView

ONE = f"{WARMUP}/ips/{{ip}}"
PLAN = f"{WARMUP}/plans/{{name}}"
DECISIONS = f"{WARMUP}/decisions"
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
    asked = {"ip": warm.ip, "limit": PART, "after": visit.query.get("after")}
    decisions, after = await visit.listed("GET", DECISIONS, query=asked)
    return {
        "title": warm.ip,
        "warm": warm,
        "use": use,
        "today": next((row for row in rows if row.provider == ALL), None),
        "providers": [row for row in rows if row.provider != ALL],
        "plan": await _plan(visit, warm),
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
