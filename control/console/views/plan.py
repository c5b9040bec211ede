"""What if: one IP's warm-up played forward over assumed traffic. A question: it changes nothing."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from control.console.page import Page
from control.console.views.ip import ONE
from control.console.visit import Visit
from control.problem import RefusedError
from control.warmup.simulation import Simulation
from control.warmup.view import WarmupView

SIMULATION = ("POST", "/api/v2/warmup/simulation")
FIELDS = ("days", "a_day", "bounces", "complaints", "plan")
NUMBERS = frozenset({"days", "a_day", "bounces", "complaints"})
HEIGHT = 100.0


async def view(visit: Visit) -> Mapping[str, Any]:
    """`ip` of the path; what is assumed in the query."""
    warm: WarmupView = await visit.ask("GET", ONE, names={"ip": visit.names["ip"]})
    form = {name: visit.query.get(name, "").strip() for name in FIELDS}
    body: dict[str, Any] = {"ip": warm.ip}
    body |= {name: _number(name, text) for name, text in form.items() if text}
    found: Simulation | None = None
    refused: RefusedError | None = None
    try:
        found = await visit.ask(*SIMULATION, body=body)
    except RefusedError as error:
        if error.status in (403, 404, 429) or error.status >= 500:
            raise
        refused = error
    days = [] if found is None else found.days
    most = max((day.quota for day in days), default=0)
    return {
        "title": f"What if: {warm.ip}",
        "warm": warm,
        "form": form,
        "found": found,
        "refused": "" if refused is None else refused.line(),
        "fields": {} if refused is None else {e.field: e.detail for e in refused.errors},
        "most": most,
        "quotas": line([day.quota for day in days], most),
        "sent": line([day.sent for day in days], most),
        "steps": [day for day in days if day.act],
    }


def line(values: Sequence[int], most: int) -> str:
    """Points of an SVG polyline: a day is one wide, `most` is `HEIGHT` high, 0 is below. Pure."""
    return " ".join(
        f"{at},{HEIGHT - HEIGHT * min(value, most) / most:.2f}"
        for at, value in enumerate(values)
        if most
    )


def _number(name: str, text: str) -> Any:
    """What is none stays a text, which is refused by its field."""
    if name not in NUMBERS or not text.isascii():
        return text
    try:
        value = int(text) if text.isdigit() else float(text)
    except ValueError:
        return text
    # JSON has no other numbers.
    return value if math.isfinite(value) else text


PAGE = Page(
    path="/ips/{ip}/plan",
    title="What if",
    template="plan.html",
    view=view,
    needs=SIMULATION,
    under="/ips",
)
