"""Alerts: what is wrong now, known or muted."""

from collections.abc import Mapping
from typing import Any

from control.alerts.alert import AlertView
from control.alerts.desk import Alerts, MuteView
from control.console.page import Action, Done, Page
from control.console.visit import Visit

PATH = "/api/v2/alerts"
PART = 50


async def view(visit: Visit) -> Mapping[str, Any]:
    """The latest first; `ended=1`: those that are over, too."""
    query = {n: visit.query.get(n) for n in ("ended", "after")} | {"limit": PART}
    found: Alerts
    found, after = await visit.listed("GET", PATH, query=query)
    return {"found": found, "after": after, "ended": visit.query.get("ended", "") == "1"}


async def ack(visit: Visit) -> Done:
    """No more messages of it but that it is over."""
    done: AlertView = await visit.ask(
        "POST",
        f"{PATH}/{{alert}}/ack",
        names={"alert": visit.form.get("alert", "")},
        query={"reason": visit.form.get("reason", "")},
    )
    return Done(f"{done.key} is known: nothing more is told of it but its end.")


async def mute(visit: Visit) -> Done:
    """Nothing is told of a key for a while; `hours` of the form, 0 ends it."""
    body = visit.given("key", "reason")
    hours = visit.numbers("hours").get("hours", 4)
    body["seconds"] = hours * 3600 if isinstance(hours, int) else hours
    done: MuteView = await visit.ask("POST", f"{PATH}/mute", body=body)
    said = (
        f"Nothing is told of {done.key} until {done.until}."
        if body["seconds"]
        else (f"{done.key} is told of again.")
    )
    return Done(said, notes=(done.note,) if done.note else ())


PAGE = Page(
    path="/alerts",
    title="Alerts",
    menu="Alerts",
    template="alerts.html",
    view=view,
    needs=("GET", PATH),
    actions={
        "ack": Action(("POST", f"{PATH}/{{alert}}/ack"), ack, "It is known"),
        "mute": Action(("POST", f"{PATH}/mute"), mute, "Mute"),
    },
)
