"""Records that could not be taken in: looked at, and taken in after a mend."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from control.accounting.door import Batch, Door
from control.accounting.identity import Reading
from control.accounting.inbox import Inbox, InboxState, Now
from control.accounting.payload import SetAside, shares
from control.store.database import Connection
from control.values.query import Limit, Seen
from control.values.wanted import meant
from policy.isotime import instant
from settings.statements import statements

_SQL = statements(__package__, "door")

AT_ONCE = 1_000


class SetAsideQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The oldest first."""

    after: Annotated[Seen, meant("Id of the last one seen.")] = 0
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


class Again(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records to try once more."""

    ids: Annotated[
        Annotated[list[Seen], msgspec.Meta(max_length=100_000)] | None,
        meant("Only these; null: all of them."),
    ] = None


class SetAsideView(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be taken in."""

    id: int
    came: str
    origin: str
    server: str
    place: str
    """Where it stood: a file and offset, or a batch and its line."""
    why: str
    raw: str
    """As it came; octets that are no text as backslash sequences."""
    times: int
    """How often it came."""


class SetAsidePage(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest first."""

    total: int
    rejected: list[SetAsideView]


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What accounting has not counted: batches that wait, records that could not be taken in."""

    inbox: InboxState
    set_aside: int
    set_aside_at: int
    """When the newest of them came, calendar milliseconds; 0: there is none. Another try of ours
    (`--again`) makes none newer."""


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a second try."""

    taken: int
    """Records that count now."""
    repeated: int
    """Those that had counted before."""
    rejected: int
    """Those that still cannot be taken in."""


class Rejected:
    """Over the control process's pool."""

    def __init__(self, pool: Any, door: Door, inbox: Inbox, now: Now) -> None:
        self._pool = pool
        self._inbox = inbox
        self._door = door
        self._now = now

    async def page(self, wanted: SetAsideQuery) -> SetAsidePage:
        """Those that are asked for, and how many there are."""
        rows = await self._pool.fetch(_SQL["set_aside_page"], wanted.after, wanted.limit)
        return SetAsidePage(
            total=await self._pool.fetchval(_SQL["set_aside_count"]),
            rejected=list(map(_view, rows)),
        )

    async def backlog(self) -> Backlog:
        """As it is now, the batches that wait besides."""
        row = await self._pool.fetchrow(_SQL["set_aside_look"])
        return Backlog(
            inbox=await self._inbox.state(),
            set_aside=row["count"],
            set_aside_at=row["newest"] or 0,
        )

    async def again(self, numbers: Sequence[int] | None = None) -> Retried:
        """Take in once more those of these numbers, or all, and whole batches that were given up,
        too. What fails again stays."""
        if numbers is None:
            await self._inbox.again()
        taken = repeated = rejected = after = 0
        while True:
            async with self._pool.acquire() as connection, connection.transaction():
                if numbers is None:
                    rows = await connection.fetch(_SQL["set_aside_page"], after, AT_ONCE)
                    some = [row["id"] for row in rows]
                else:
                    some = list(numbers[after : after + AT_ONCE])
                rows = await connection.fetch(_SQL["set_aside_some"], some)
                await connection.execute(_SQL["drop_set_aside"], [row["id"] for row in rows])
                for row in rows:
                    booked = await self._one(connection, row)
                    taken += booked[0]
                    repeated += booked[1]
                    rejected += booked[2]
            if len(some) < AT_ONCE:
                return Retried(taken=taken, repeated=repeated, rejected=rejected)
            after = some[-1] if numbers is None else after + AT_ONCE

    async def _one(self, connection: Connection, row: Any) -> tuple[int, int, int]:
        now = await self._now()
        header: str = row["header"]
        content: bytes = row["raw"]
        if header:
            content = header.encode("utf-8", "surrogateescape") + b"\n" + content
        counted = repeated = aside = 0
        reading = Reading()
        found = list(shares(content, AT_ONCE)) if row["raw"] else []
        for share in found:
            facts = reading.facts(share.pieces, now)
            # Where it stood and under what it came, not where it stands in this try.
            again = [
                SetAside(row["place"], one.why, one.raw, header or one.header)
                for one in share.set_aside
            ]
            at = (row["origin"], row["server"], row["place"])
            batch = Batch(*at, facts, again, came=row["came"])
            booked = await self._door.book(connection, batch, now)
            counted += booked.counted
            repeated += booked.repeated
            aside += booked.set_aside
        return counted, repeated, aside


def _view(row: Any) -> SetAsideView:
    fields = ("id", "origin", "server", "place", "why", "times")
    return SetAsideView(
        came=instant(row["came"]),
        raw=row["raw"].decode("utf-8", "backslashreplace"),
        **{name: row[name] for name in fields},
    )
