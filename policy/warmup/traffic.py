"""Assumed mail: how much a day, to whom, and what becomes of it. Pure.

Rates are spread evenly: so many, and no luck.
"""

import math
from collections.abc import Sequence

import msgspec

from policy.warmup.evidence import Day

_NOISE = 1e-9
"""Of sums of shares."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The mail to one provider; all of them are shares of 1."""

    provider: str
    share: float
    bounces: float
    complaints: float


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """What mail will be like; rates are shares of 1."""

    bounces: float
    complaints: float
    wanted: int | None = None
    """Recipients a day; None: as many as it may."""
    cool_down: int = 7
    """Days after which a pause ends; 0: it does not."""
    parts: tuple[Part, ...] = ()
    """Providers that are looked at by themselves; what they leave goes to others."""

    def mail(self) -> list["Mail"]:
        """Each part, and what they leave."""
        left = 1.0 - sum(part.share for part in self.parts)
        found = [Mail(part) for part in self.parts]
        if left > _NOISE or not found:
            found.append(
                Mail(
                    Part(provider="", share=left, bounces=self.bounces, complaints=self.complaints)
                )
            )
        return found


class Mail:
    """What is sent to one provider, day by day; '': to all others."""

    def __init__(self, part: Part) -> None:
        self.provider = part.provider
        self.waiting = 0
        """Recipients that were wanted and not sent."""
        self.days: list[Day] = []
        self._part = part
        self._wanted = self._bounced = self._complaints = 0.0

    def ready(self, wanted: int | None, allowed: int) -> int:
        """How many could be sent on a new day. `allowed`: of all, where as many are wanted."""
        if wanted is None:
            return math.ceil(self._part.share * allowed - _NOISE)
        self._wanted, whole = _whole(self._wanted + self._part.share * wanted)
        self.waiting += whole
        return self.waiting

    def send(self, today: int, count: int) -> Day:
        """So many go, and what becomes of them."""
        self.waiting = max(0, self.waiting - count)
        self._bounced, bounced = _whole(self._bounced + count * self._part.bounces)
        delivered = count - bounced
        self._complaints, complaints = _whole(self._complaints + delivered * self._part.complaints)
        day = Day(today, count, delivered, bounced, complaints)
        self.days.append(day)
        return day


def portions(ready: Sequence[int], ceilings: Sequence[int | None], allowed: int) -> list[int]:
    """How many of each go: no more than its ceiling, and all of them no more than is allowed; in
    proportion, where that is what binds."""
    most = [
        one if ceiling is None else min(one, ceiling)
        for one, ceiling in zip(ready, ceilings, strict=True)
    ]
    whole = sum(most)
    if whole <= allowed:
        return most
    found = [one * allowed // whole for one in most]
    left = allowed - sum(found)
    for at, one in enumerate(most):
        if left and found[at] < one:
            found[at] += 1
            left -= 1
    return found


def _whole(value: float) -> tuple[float, int]:
    """(what is left over, the whole part)."""
    whole = math.floor(value + _NOISE)
    return value - whole, whole
