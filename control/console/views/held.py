"""Held mail: how much waits, for what and for how long; released, dropped or stopped by what names
it, and put back while that goes."""

import asyncio
from collections.abc import Mapping
from typing import Any

from control.console.page import Action, Done, Page
from control.console.told import trying
from control.console.visit import Visit
from control.held.filter import FIELDS
from control.held.held import HeldPage, HoldSummary
from control.held.requestview import HoldAnswer, HoldRequest

HOLD = "/api/v2/hold"
REQUESTS = f"{HOLD}/requests"
UNDO = f"{REQUESTS}/{{request}}/undo"
PART = 50
ACTIONS = {
    "release": "Release at once",
    "drop": "Drop for good",
    "pause": "Pause",
    "resume": "Resume",
}
BY = ("reason", "tenant", "campaign", "provider", "pool", "state")


async def view(visit: Visit) -> Mapping[str, Any]:
    """What the filters of the query match."""
    filters = {name: visit.query.get(name) for name in (*FIELDS, "state")}
    asked = filters | {"limit": PART, "after": visit.query.get("after")}
    summary, found, forecast, requests = await asyncio.gather(
        visit.soon("GET", HOLD, query=filters),
        visit.soon("GET", f"{HOLD}/messages", query=asked),
        visit.soon("GET", f"{HOLD}/forecast"),
        visit.ask("GET", REQUESTS, query={"limit": 10}),
    )
    counted: HoldSummary | None = summary.found
    messages: HeldPage | None = found.found
    return {
        "filters": {name: text or "" for name, text in filters.items()},
        "filtered": any(filters.values()),
        "summary": summary,
        "all": None if counted is None else counted.all,
        "by": {by: [p for p in counted.parts if p.by == by] for by in BY} if counted else {},
        "reasons": sorted({p.name for p in counted.parts if p.by == "reason"}) if counted else [],
        "messages": [] if messages is None else messages.messages,
        "found": found,
        "forecast": forecast,
        "requests": requests,
        "actions": ACTIONS,
    }


async def order(visit: Visit) -> Done:
    """Asks the releasers, tried first; they do it in small steps."""
    action = visit.form.get("action", "")
    body: dict[str, Any] = {"action": action, **visit.given(*FIELDS)}
    if action == "drop" and not visit.dry:
        body["confirm"] = True
    query = trying(visit)
    done: HoldAnswer = await visit.ask("POST", REQUESTS, query=query, body=body)
    many = _messages(done.matching)
    if done.dry_run:
        return Done(f"{ACTIONS.get(action, action)}: {many} match now.", notes=tuple(done.notes))
    said = f"Asked for as request {done.request.id}: {ACTIONS.get(action, action)}, {many}."
    notes = list(done.notes)
    if done.request.undo:
        notes.append(f"It can be undone below, {done.request.undo} s from when it was done.")
    return Done(said, notes=tuple(notes))


async def undo(visit: Visit) -> Done:
    """Of one request, as far as that goes."""
    names = {"request": visit.form.get("request", "")}
    found: HoldRequest = await visit.ask("POST", UNDO, names=names)
    if found.state == "undone":
        return Done(f"Request {found.id} is undone: {_messages(found.undone)} put back.")
    return Done(f"Request {found.id} is being undone: what has not gone waits as it did.")


def _messages(many: int) -> str:
    return f"{many:,} message{'' if many == 1 else 's'}"


PAGE = Page(
    path="/held",
    title="Held mail",
    menu="Held",
    template="held.html",
    view=view,
    needs=("GET", HOLD),
    actions={
        "order": Action(("POST", REQUESTS), order, "Do it", tried=True),
        "undo": Action(("POST", UNDO), undo, "Undo it"),
    },
)
