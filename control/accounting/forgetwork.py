"""Looks through what is kept of accounting for addresses that are to be forgotten.

In pieces, each by itself: what a killed process had done stays done, and the next one goes on
behind it. Memory: a posted batch as large as it may be, or `AT_ONCE` groups of records.
Rule: it begins when nobody is booking who did not know of it; what is booked later is kept without
the address (`control.accounting.forgetting`). So it looks at no more than there was.
Failure: it is said and tried again; a piece that cannot be looked into is counted and left.
Two control nodes: one works, whose session holds the lock.
"""

import asyncio
import json
import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from control.accounting.forgetting import BOOKING, concerns, tenants_of
from control.accounting.inbox import TRIES
from control.accounting.lock import lock_number
from control.accounting.payload import InflatedError, inflated
from control.accounting.traces import Traces
from control.again import again
from control.store.database import Connection
from settings.accounting import Accounting
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "forgetting")

AT_ONCE = 4
"""Groups of records of one look: `accounting.batch` records each, some 2 MB unpacked."""
ASIDE_AT_ONCE = 100
_LOCK = lock_number("forgetting work")
_NEXT = {"records": "rejected", "rejected": "batches", "batches": "done"}


class _Found(NamedTuple):
    """What one look found. `last`: (day, number) of the last piece, None: there are no more."""

    last: tuple[int, int] | None
    looked: int = 0
    changed: int = 0
    unread: int = 0


class ForgetWork:
    """Call `run`. `pool`: the control process's; `now`: calendar milliseconds."""

    def __init__(self, pool: Any, settings: Accounting, now: Callable[[], Awaitable[int]]) -> None:
        self._pool = pool
        self._settings = settings
        self._now = now

    async def run(self) -> None:
        """Until cancelled."""
        await again(self.step, self._settings.poll, log, "an address cannot be forgotten yet")

    async def step(self) -> None:
        """All that can be done now."""
        async with self._pool.acquire() as connection:
            if not await connection.fetchval(_SQL["try_lock"], _LOCK):
                return
            try:
                while (row := await connection.fetchrow(_SQL["next"])) is not None:
                    if not await self._look(connection, row):
                        return
            finally:
                if not connection.is_closed():
                    await connection.execute(_SQL["unlock"], _LOCK)

    async def _look(self, connection: Connection, row: Any) -> bool:
        """One look; False: it goes on later."""
        step = row["step"]
        if step == "waiting":
            async with connection.transaction():
                await connection.execute(_SQL["nobody_books"], BOOKING)
                await connection.execute(_SQL["begin"], row["id"])
            return True
        traces = Traces(row["spelt"])
        if step == "records":
            found = await self._records(connection, row, traces)
        elif step == "rejected":
            found = await self._aside(connection, row, traces)
        else:
            batch = await self._batch(connection, row, traces)
            if batch is None:
                return False
            found = batch
        if found.last is None:
            await connection.execute(_SQL["step"], row["id"], step, _NEXT[step], await self._now())
            return True
        await connection.execute(
            _SQL["looked"],
            *(row["id"], step, row["number"], *found.last),
            *(found.looked, found.changed, found.unread),
        )
        return True

    async def _records(self, connection: Connection, row: Any, traces: Traces) -> _Found:
        behind = row["day"], row["number"]
        pieces = await connection.fetch(_SQL["raw"], *behind, row["last_raw"], AT_ONCE)
        changed = unread = 0
        for piece in pieces:
            try:
                content = await asyncio.to_thread(zlib.decompress, piece["body"])
            except zlib.error as error:
                log.warning("records %d are damaged (%s)", piece["id"], error)
                unread += 1
                continue
            lines = await asyncio.to_thread(_lines_with, content, traces)
            if not lines:
                continue
            tenants = {}
            if row["tenant"] is not None:
                tenants = await tenants_of(connection, {vmta for _, vmta in lines.values()})
            of = {
                at: line
                for at, (line, vmta) in lines.items()
                if concerns(row["tenant"], tenants.get(vmta))
            }
            if of:
                body = await asyncio.to_thread(_with, content, of)
                await connection.execute(_SQL["change_raw"], piece["day"], piece["id"], body)
                changed += 1
        return _Found(_last(pieces), len(pieces), changed, unread)

    async def _aside(self, connection: Connection, row: Any, traces: Traces) -> _Found:
        pieces = await connection.fetch(
            _SQL["aside"], row["number"], row["last_aside"], ASIDE_AT_ONCE
        )
        changed = 0
        for piece in pieces:
            header, raw = traces.out_of_text(piece["header"]), traces.out_of(piece["raw"])
            if (header, raw) != (piece["header"], piece["raw"]):
                # By itself: who books or tries again changes several, in another order.
                await connection.execute(_SQL["change_aside"], piece["id"], header, raw)
                changed += 1
        return _Found(_last(pieces), len(pieces), changed)

    async def _batch(self, connection: Connection, row: Any, traces: Traces) -> _Found | None:
        """None while it may still be taken in: then it is kept without the address."""
        piece = await connection.fetchrow(_SQL["batch"], row["number"], row["last_batch"])
        if piece is None:
            return _Found(None)
        if piece["tries"] < TRIES:
            return None
        try:
            body = await asyncio.to_thread(
                _batch_without, piece["body"], self._settings.webhook_content, traces
            )
        except InflatedError as error:
            log.warning("batch %d of posted accounting is damaged: %s", piece["id"], error)
            return _Found(_last([piece]), 1, 0, 1)
        if body is not None:
            await connection.execute(_SQL["change_batch"], piece["id"], body, TRIES)
        return _Found(_last([piece]), 1, body is not None)


def _last(pieces: list[Any]) -> tuple[int, int] | None:
    return (pieces[-1]["day"], pieces[-1]["id"]) if pieces else None


def _lines_with(content: bytes, traces: Traces) -> dict[int, tuple[bytes, str]]:
    """By its number each line without the address that had it, and the VirtualMTA it names."""
    if traces.out_of(content) is content:
        return {}
    found = {}
    for at, line in enumerate(content.split(b"\n")):
        if (left := traces.out_of(line)) is not line:
            fields = {name.lower(): text for name, text in json.loads(line).items()}
            found[at] = left, fields.get("vmta", "")
    return found


def _with(content: bytes, changed: dict[int, bytes]) -> bytes:
    """Packed again."""
    lines = content.split(b"\n")
    for at, line in changed.items():
        lines[at] = line
    return zlib.compress(b"\n".join(lines), 1)


def _batch_without(body: bytes, most: int, traces: Traces) -> bytes | None:
    """Packed; None: the address is not in it. Raises InflatedError."""
    content = inflated(body, most)
    left = traces.out_of(content)
    if left is content:
        return None
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(left) + packer.flush()
