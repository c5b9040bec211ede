"""Now: mail of the last minute, what today still allows, what binds, what is wrong.

Rule: one look serves all viewers. A part of it that takes long (all IPs' use, a hold of a million)
is looked at less often, and its age is said. Who is of some tenants sees the part that is theirs,
and none of what all share.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from control.alerts.desk import Alerts
from control.api.asking import Within
from control.console.drawn import Chart, Line
from control.console.page import Page
from control.console.visit import Part, Visit
from control.explain.standing import Mail
from control.explain.status import Status
from control.sources.usage import ALL, UsageView
from control.users.role import Holder
from policy.isotime import instant_of
from policy.model import UNLIMITED

PATH, STREAM = "/", "/live/now"
PART = 1000
"""IPs of one question."""
BINDING = 10
"""IPs with what binds them that are shown."""

LOOKER = Holder(name="console", role="read", tenants=None)
"""Who takes samples: it reads, and sees all."""


@dataclass(frozen=True)
class Today:
    """What IPs may send today."""

    ips: int
    relayed: int
    left: int
    """Of those that have a limit."""
    quota: int
    unlimited: int
    """IPs without one."""
    binding: list[UsageView]
    """Those that may send nothing at this moment, the first few."""
    bound: int
    """How many those are."""


@dataclass(frozen=True)
class Rate:
    """Messages a second, over a minute."""

    at: str
    came: float
    relayed: float
    held: float

    @property
    def place(self) -> int:
        """Unix seconds."""
        return round(datetime.fromisoformat(self.at).timestamp())


PAST = 900
"""Looks whose rates are kept: fifteen minutes, while somebody watches."""
GAP = 10
"""Seconds without a look that are no line in the drawing."""
TOLD = 20
"""Of them, so many stand in the table."""


@dataclass(frozen=True)
class Sample:
    """One look."""

    at: str
    status: Part
    alerts: Part
    use: Part
    """Of all IPs, all providers together."""
    past: tuple[Rate, ...] = ()
    """Of the last minutes, the latest last."""


AWAY = "It cannot be looked at now; the log has why."


class Now:
    """Takes samples, and shows them."""

    def __init__(self, within: Within) -> None:
        self._visit = Visit(holder=LOOKER, address="", path="/", names={}, query={}, within=within)
        self._past: deque[Rate] = deque(maxlen=PAST)

    async def take(self) -> Sample:
        """A look at all."""
        status, alerts, use = await asyncio.gather(
            self._visit.soon("GET", "/api/v2/status"),
            self._visit.soon("GET", "/api/v2/alerts", query={"limit": 20}),
            self._visit.kept.get("use", self._usage),
        )
        at = instant_of(datetime.now(UTC))
        if status.found is not None:
            self._past.append(rate(at, status.found.minute))
        return Sample(
            at=at,
            past=tuple(self._past),
            status=status,
            alerts=alerts,
            use=Part(pending=True) if use is None else replace(use.found, age=round(use.age)),
        )

    async def _usage(self) -> Part:
        rows: list[UsageView] = []
        after = ""
        while True:
            query = {"limit": PART, "after": after}
            part = await self._visit.part("GET", "/api/v2/quota", query=query)
            if part.away:
                return part
            rows += [row for row in part.found if row.provider == ALL]
            if not (after := part.after):
                return Part(found=rows)


def rate(at: str, minute: Mail) -> Rate:
    """Of a minute's mail."""
    found = (round(n / 60, 2) for n in (minute.came, minute.relayed, minute.held))
    return Rate(at, *found)


def rates(past: Sequence[Rate]) -> Chart:
    """In, out and held; where nobody looked for a while there is a gap."""
    places: list[int] = []
    values: list[tuple[float | None, ...]] = []
    for one in past:
        if places and one.place - places[-1] > GAP:
            places.append(places[-1] + 1)
            values.append((None, None, None))
        places.append(one.place)
        values.append((one.came, one.relayed, one.held))
    came, relayed, held = zip(*values, strict=True) if values else ((), (), ())
    return Chart(
        places=places,
        days=False,
        lines=[
            Line(label="in", values=came, kind="line", colour="mark"),
            Line(label="out", values=relayed, kind="line", colour="fill"),
            Line(label="held", values=held, kind="dashed", colour="warn"),
        ],
    )


def told(past: Sequence[Rate]) -> list[Rate]:
    """Some of them, evenly apart, the latest first."""
    step = max(1, -(-len(past) // TOLD))
    return list(past[::-1][::step])


def shown(visit: Visit, sample: Sample) -> Mapping[str, Any]:
    """What of a sample who visits is shown."""
    tenants = None if visit.holder.tenants is None else set(visit.holder.tenants)
    if named := visit.query.get("tenant"):
        tenants = {named} if tenants is None else tenants & {named}
    whole = tenants is None
    use = sample.use
    if use.away and not whole:
        # A sample is everybody's, and says of a part that is away what who sees all may read.
        use = replace(use, away=AWAY)
    if use.found is not None:
        use = replace(use, found=today(_of(use.found, tenants)))
    status: Status | None = sample.status.found
    alerts: Alerts | None = sample.alerts.found
    return {
        "at": sample.at,
        "whole": whole and visit.may("GET", "/api/v2/status"),
        "chart": rates(sample.past),
        "last": rates(sample.past[-1:]),
        "past": told(sample.past),
        "status": sample.status,
        "mail": None if status is None else status.minute,
        "waiting": [] if status is None else _of(status.hold, tenants),
        "troubles": [] if status is None else status.troubles,
        "alerts": sample.alerts,
        "open": [] if alerts is None else alerts.alerts,
        "use": use,
        "today": use.found,
    }


def today(rows: Sequence[UsageView]) -> Today:
    """Pure."""
    limited = [row for row in rows if row.quota != UNLIMITED]
    binding = [row for row in rows if row.why]
    return Today(
        ips=len(rows),
        relayed=sum(row.relayed for row in rows),
        left=sum(row.left for row in limited if isinstance(row.left, int)),
        quota=sum(row.quota for row in limited if isinstance(row.quota, int)),
        unlimited=len(rows) - len(limited),
        binding=binding[:BINDING],
        bound=len(binding),
    )


def _of(rows: Any, tenants: set[str] | None) -> list[Any]:
    return [row for row in rows if tenants is None or row.tenant in tenants]


def page(view: Any) -> Page:
    """`view`: a sample as who visits sees it."""
    return Page(
        path=PATH,
        title="Now",
        menu="Now",
        template="now.html",
        view=view,
        needs=("GET", "/api/v2/quota"),
    )
