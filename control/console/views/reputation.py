"""Reputation: what DNS blocklists say of our IPs and sending domains, what providers answer, what
DNS has of us."""

from collections.abc import Mapping
from typing import Any

from control.alerts.desk import Alerts
from control.blocklists.view import BlocklistAnswer, ZoneView
from control.console.page import Action, Done, Page
from control.console.views.jobs import RUN, RUNS
from control.console.views.period import of_period, period, sums
from control.console.visit import Visit

BLOCKLISTS = "/api/v2/blocklists"
CHECK = ("POST", f"{BLOCKLISTS}/{{subject}}/check")
FILTERS = ("subject", "zone", "state")
STATES = ("listed", "unknown", "clean")
PART = 100
TOLD = ("reply:", "dns:", "dns", "blocklist")
"""What keys of alerts about our repute begin with."""
LOOKS = ("blocklists", "dns")
"""Jobs that look."""


async def view(visit: Visit) -> Mapping[str, Any]:
    """Answers of lists as the filters of the query say; what is listed stands first."""
    of = await period(visit)
    filters = {name: visit.query.get(name) for name in FILTERS}
    asked = filters | {"limit": PART, "after": visit.query.get("after")}
    found: list[BlocklistAnswer]
    found, after = await visit.listed("GET", BLOCKLISTS, query=asked)
    listed: list[BlocklistAnswer] = await visit.ask(
        "GET", BLOCKLISTS, query={"state": "listed", "limit": PART}
    )
    zones: list[ZoneView] = await visit.ask("GET", f"{BLOCKLISTS}/zones")
    provider = visit.query.get("provider")
    beside = {"with": "categories"} if provider else {}
    providers, _ = await sums(visit, of, "provider", provider=provider, limit=PART, **beside)
    alerts: Alerts = await visit.ask("GET", "/api/v2/alerts", query={"limit": 1000})
    return {
        **of_period(of),
        "filters": {name: text or "" for name, text in filters.items()},
        "filtered": any(filters.values()),
        "states": STATES,
        "found": found,
        "after": after,
        "listed": listed,
        "listed_most": PART,
        "zones": zones,
        "providers": providers.rows,
        "provider": provider or "",
        "bounces": providers.categories,
        "told": [one for one in alerts.alerts if one.key.startswith(TOLD)],
        "looks": [await _last(visit, name) for name in LOOKS],
    }


async def _last(visit: Visit, job: str) -> dict[str, Any]:
    """The last look of a job."""
    runs = await visit.ask(*RUNS, names={"job": job}, query={"limit": 1})
    return {"job": job, "run": runs[0] if runs else None}


async def check(visit: Visit) -> Done:
    """Asks all lists about one IP or domain."""
    subject = visit.form.get("subject", "").strip().lower()
    found: list[BlocklistAnswer] = await visit.ask(*CHECK, names={"subject": subject})
    by = {state: sum(one.state == state for one in found) for state in STATES}
    said = ", ".join(f"{number} {state}" for state, number in by.items())
    return Done(f"{subject} was asked for at {len(found)} lists: {said}.")


async def look(visit: Visit) -> Done:
    """A job's look at all, now."""
    job = visit.form.get("job", "")
    run = await visit.ask(*RUN, names={"job": job})
    return Done(f"{job}: {run.state}. {run.said}")


PAGE = Page(
    path="/reputation",
    title="Reputation",
    menu="Reputation",
    template="reputation.html",
    view=view,
    needs=("GET", BLOCKLISTS),
    actions={
        "check": Action(CHECK, check, "Ask now"),
        "look": Action(RUN, look, "Look now"),
    },
)
