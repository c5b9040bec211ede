"""All mailboxes of a tenant at one moment: a few octets each, for 100,000 of them are kept."""

from array import array
from collections.abc import Iterator, Sequence
from heapq import nlargest, nsmallest
from typing import NamedTuple, get_args

import msgspec

from control.progress.counted import Counted
from control.progress.standing import Standing, Status, elapsed, standing, terms_at
from policy.limits import day_of
from policy.model import Tenant

STEP = 1_000
"""Mailboxes that are worked out in one turn of the event loop: a few milliseconds."""


class Fill(NamedTuple):
    """How much of its quota a mailbox sent, per cent."""

    fill: float
    tenant: str
    mailbox: str


class Sums(msgspec.Struct, kw_only=True):
    """Of a tenant's mailboxes, or of all."""

    total: int = 0
    active: int = 0
    """That sent today or yesterday."""
    with_quota: int = 0
    reached: int = 0
    behind: int = 0
    missing: int = 0
    """Recipients that those behind lack by now."""
    top: list[Fill] = []
    worst: list[Fill] = []

    def add(self, other: "Sums", most: int) -> None:
        """With those of another tenant; `most` of the fullest and of the emptiest are kept."""
        for name in ("total", "active", "with_quota", "reached", "behind", "missing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.keep([*other.top, *other.worst], most)

    def keep(self, fills: list[Fill], most: int) -> None:
        """The fullest and the emptiest, those known and these."""
        self.top = nlargest(most, {*self.top, *fills})
        self.worst = nsmallest(most, {*self.worst, *fills})

    @property
    def completion(self) -> float:
        """Per cent of mailboxes with a quota that are not behind; 100 without any."""
        return 100.0 * (1 - self.behind / self.with_quota) if self.with_quota else 100.0


class Day:
    """Of one tenant."""

    def __init__(self, tenant: Tenant, counted: dict[str, Counted], now: int) -> None:
        self.tenant = tenant
        # Those with limits of their own are in order already: the sort takes as long as a walk.
        own = list(tenant.mailboxes)
        more = sorted(counted.keys() - tenant.mailboxes.keys())
        self.names: Sequence[str] = sorted([*own, *more]) if more else own
        self.sums = Sums(total=len(self.names))
        self.of: dict[Status, array[int]] = {one: array("l") for one in get_args(Status)}
        """Which of the names, in their order, by how they stand."""
        self._sent = array("q", bytes(8 * len(self.names)))
        self._last = array("q", bytes(8 * len(self.names)))
        self._first = array("l", bytes(8 * len(self.names)))
        self._counted = counted
        self._today = day_of(now)
        self._part = elapsed(tenant.window, now)

    def work(self, most: int) -> Iterator[None]:
        """Works it out, step by step; `most` of the fullest and of the emptiest are named."""
        sums, tenant, today, none = self.sums, self.tenant, self._today, Counted()
        for begin in range(0, len(self.names), STEP):
            fills: list[Fill] = []
            for place in range(begin, min(begin + STEP, len(self.names))):
                name = self.names[place]
                counted = self._counted.get(name, none)
                self._sent[place], self._last[place] = counted.sent, counted.last
                self._first[place] = counted.first
                sums.active += counted.sent > 0 or counted.before > 0
                found = standing(terms_at(tenant, name), counted, self._part, today)
                self.of[found.status].append(place)
                sums.missing += found.behind_by
                if found.quota:
                    fills.append(Fill(100.0 * counted.sent / found.quota, tenant.name, name))
            sums.with_quota += len(fills)
            sums.keep(fills, most)
            yield
        self._counted = {}
        sums.reached, sums.behind = len(self.of["reached"]), len(self.of["behind"])

    def places(self, status: Status | None, after: str | None) -> Iterator[int]:
        """Of the names, in their order, behind `after`."""
        places: Sequence[int] = range(len(self.names)) if status is None else self.of[status]
        low, high = 0, len(places)
        while after is not None and low < high:
            middle = (low + high) // 2
            if self.names[places[middle]] <= after:
                low = middle + 1
            else:
                high = middle
        for at in range(low, len(places)):
            yield places[at]

    def counted(self, place: int) -> Counted:
        """What is kept of one."""
        return Counted(sent=self._sent[place], last=self._last[place], first=self._first[place])

    def standing(self, place: int) -> Standing:
        """Of one, as it was."""
        terms = terms_at(self.tenant, self.names[place])
        return standing(terms, self.counted(place), self._part, self._today)
