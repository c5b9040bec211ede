"""The clock seam's outer side: showing calendar time, and moving it in an embedded stack."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

import msgspec
from redis.exceptions import RedisError

from control.problem import RefusedError, away, bad, quoted
from control.values.time import TimeText, moment
from control.values.wanted import meant
from policy.isotime import instant
from policy.ledger.admin import LedgerAdmin

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_STEP = re.compile(r"(?:[0-9]{1,6}[dhms])+")

NO_WAY_BACK = "the clock cannot go back: days already counted must not be counted again"

Follower = Callable[[float], Awaitable[None]]
"""Told the offset in seconds whenever the clock moves."""


class ClockView(msgspec.Struct, frozen=True):
    """Calendar time, and how far it is from the machine's."""

    now: str
    offset_seconds: float
    movable: bool


class ClockMove(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two."""

    set: Annotated[TimeText | None, meant("ISO time, UTC when it names no zone.")] = None
    advance: Annotated[
        Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_STEP.pattern}$"})] | None,
        meant("1d, 90m, 30s, 1d12h."),
    ] = None
    one_of: ClassVar = ("set", "advance")
    only_one: ClassVar = True


def step_seconds(text: str) -> int:
    """Seconds in `1d`, `90m`, `1d12h`. Raises RefusedError."""
    if _STEP.fullmatch(text.removeprefix("-")) and text.startswith("-"):
        raise bad("advance", f"{text}: {NO_WAY_BACK}")
    if not _STEP.fullmatch(text):
        raise bad("advance", f"{quoted(text)} is not a step such as 1d, 90m or 30s")
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)([dhms])", text))


class Clock:
    """Reads and moves the ledger's calendar time."""

    def __init__(
        self,
        admin: LedgerAdmin,
        *,
        movable: bool,
        followers: list[Follower],
        before_move: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """`before_move`: told the calendar milliseconds that the clock is about to show."""
        self._admin = admin
        self._movable = movable
        self._followers = followers
        self._before_move = before_move

    async def show(self) -> ClockView:
        """Calendar time now. Raises RefusedError."""
        try:
            now, offset = await self._admin.now()
        except (RedisError, OSError) as error:
            raise away("the ledger", error) from error
        return ClockView(
            instant(now),
            offset / 1000,
            self._movable,
        )

    async def move(self, wanted: ClockMove) -> ClockView:
        """Set or advance. Raises RefusedError: backwards, or not an embedded stack's clock."""
        if not self._movable:
            raise RefusedError("the clock moves in an embedded stack only (`sendgate up`)")
        if (wanted.set is None) == (wanted.advance is None):
            raise RefusedError("give either `set` or `advance`", status=400)
        now, _ = await self._admin.now()
        if wanted.advance is not None:
            target = now + 1000 * step_seconds(wanted.advance)
        else:
            target = round(moment(wanted.set or "", "set").timestamp() * 1000)
        if target > (datetime.now(UTC) + timedelta(days=40 * 365)).timestamp() * 1000:
            raise bad("set" if wanted.set else "advance", "more than 40 years ahead")
        if self._before_move is not None and target > now:
            await self._before_move(target)
        if await self._admin.set_clock(target) is None:
            raise RefusedError(NO_WAY_BACK)
        await self.tell()
        return await self.show()

    async def tell(self) -> None:
        """Bring the followers to the present offset."""
        _, offset = await self._admin.now()
        for follower in self._followers:
            await follower(offset / 1000)
