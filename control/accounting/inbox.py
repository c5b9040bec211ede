"""Posted batches: stored as they came, answered, and taken in behind that.

Rule: a batch that was answered is in `accounting_batch` until all of it has counted; killed in
between, it is met again, and what had counted does not count twice.
Order: none is promised, so posted receipts prove that a message arrived and never that one did not
(policy/README.md: doubt).
Failure: PostgreSQL away or the inbox full is an answer (503), and whoever posts repeats it. A batch
that cannot be taken in is tried `TRIES` times, then stays aside and is told.
Two control nodes: one takes in, whose session holds the lock.
"""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from control import kinds
from control.accounting.door import Batch, Door
from control.accounting.identity import Reading
from control.accounting.lock import lock_number
from control.accounting.payload import InflatedError, Share, TooLargeError, inflated, shares
from control.accounting.store import put_arrived
from control.again import again
from control.problem import RefusedError
from control.store.database import Connection
from control.store.refusal import UNSTORABLE
from settings.accounting import Accounting
from settings.statements import statements

log = logging.getLogger(__name__)

_SQL = statements(__package__, "inbox")
_IMPORT = statements(__package__, "importing")

Now = Callable[[], Awaitable[int]]
"""Calendar milliseconds now; raises nothing."""

TRIES = 5
_SESSION = 60.0
"""Real seconds, then a new connection, as a reader of files has it."""
_LOCK = lock_number("posted batches")


class InboxState(msgspec.Struct, frozen=True, kw_only=True):
    """Batches that wait."""

    waiting: int
    octets: int
    oldest: int
    """When the oldest came that is still tried, calendar milliseconds; 0: none waits."""
    age: float
    """Seconds since then; 0: none waits."""
    most: int
    """Octets that may wait (`accounting.inbox`)."""
    stuck: int
    """Of them, those that could not be taken in."""


class Inbox:
    """`pool`: the control process's."""

    def __init__(self, pool: Any, door: Door, settings: Accounting, now: Now) -> None:
        self._pool = pool
        self._door = door
        self._settings = settings
        self._now = now
        self._came = asyncio.Event()

    async def put(self, body: bytes, *, origin: str, server: str, who: str) -> int:
        """Store a batch; its number. It is on the disk when this returns. Raises RefusedError: 413
        for what is too large, 400 for what cannot be unpacked, 503 when the inbox is full."""
        body = await self._packed(body)
        row = await self._pool.fetchval(
            _SQL["put"],
            *(await self._now(), origin, server, who, len(body), body, self._settings.inbox),
            *(None, None),
        )
        if row is None:
            raise _full()
        self._came.set()
        return int(row)

    async def put_part(self, body: bytes, one: int, begin: int, end: int, *, last: bool) -> None:
        """Store the part of import `one` from offset `begin` up to `end`, and that it is stored.
        History takes a quarter of the inbox at most: PowerMTA is not turned away for it. Raises
        RefusedError as `put`, and 409 where it does not follow."""
        body = await self._packed(body) if end > begin else b""
        now = await self._now()
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_IMPORT["advance"], one, begin, end, last)
            if row is None:
                raise RefusedError(f"import {one} is not at offset {begin}", status=409)
            if body:
                put = await connection.fetchval(
                    _SQL["put"],
                    *(now, "import", row["server"], row["who"], len(body), body),
                    *(self._settings.inbox // 4, one, end - begin),
                )
                if put is None:
                    raise _full()
        self._came.set()

    async def _packed(self, body: bytes) -> bytes:
        """As it is stored. Raises RefusedError."""
        try:
            return await asyncio.to_thread(_kept, body, self._settings.webhook_content)
        except TooLargeError as error:
            raise RefusedError(
                f"the batch was not taken: {error} (accounting.webhook_content)", status=413
            ) from error
        except InflatedError as error:
            raise RefusedError(f"the batch was not taken: {error}", status=400) from error

    async def state(self) -> InboxState:
        """What waits."""
        row = await self._pool.fetchrow(_SQL["waiting"], TRIES)
        oldest = row["oldest"]
        return InboxState(
            waiting=row["count"],
            octets=row["octets"],
            oldest=oldest or 0,
            age=0.0 if oldest is None else max(0, await self._now() - oldest) / 1000,
            most=self._settings.inbox,
            stuck=row["stuck"],
        )

    async def again(self) -> None:
        """Let those that were given up be tried once more."""
        await self._pool.execute(_SQL["again"], TRIES)
        self._came.set()

    async def run(self) -> None:
        """Take in what waits, until cancelled."""
        poll, trouble = self._settings.poll, "posted accounting waits"
        await again(self._session, poll, log, trouble, lost=self._lost)

    async def _lost(self) -> None:
        self._door.forget()

    async def _session(self) -> None:
        until = asyncio.get_running_loop().time() + _SESSION
        async with self._pool.acquire() as connection:
            if not await connection.fetchval(_SQL["try_lock"], _LOCK):
                return
            while asyncio.get_running_loop().time() < until:
                self._came.clear()
                while (row := await connection.fetchrow(_SQL["next"], TRIES)) is not None:
                    await self._take(connection, row)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.poll):
                        await self._came.wait()

    async def _take(self, connection: Connection, row: Any) -> None:
        try:
            await self._take_in(connection, row)
        except (*UNSTORABLE, ArithmeticError, LookupError, TypeError, ValueError) as error:
            # A fault of ours or a damaged batch: the ones behind it do not wait for it.
            log.exception("batch %d of posted accounting cannot be taken in", row["id"])
            self._door.forget()
            await connection.execute(_SQL["failed"], row["id"], f"{type(error).__name__}: {error}")

    async def _take_in(self, connection: Connection, row: Any) -> None:
        now = await self._now()
        content = await asyncio.to_thread(inflated, row["body"], self._settings.webhook_content)
        work = _Work(shares(content, self._settings.batch), row, now)
        counted = repeated = aside = 0
        batch = await asyncio.to_thread(work.next)
        while True:
            following = None
            # Read while PostgreSQL books the one before: half of the time is either's.
            coming = asyncio.ensure_future(asyncio.to_thread(work.next))
            try:
                async with connection.transaction():
                    if batch is not None:
                        await put_arrived(connection, batch.server, batch.facts)
                        booked = await self._door.book(connection, batch, now)
                        counted += booked.counted
                        repeated += booked.repeated
                        aside += booked.set_aside
                        following = await coming
                        if row["import"] is not None:
                            octets = row["octets"] if following is None else 0
                            await connection.execute(
                                _IMPORT["counted"], row["import"], *booked, octets
                            )
                    if following is None:
                        await connection.execute(_SQL["done"], row["id"])
            finally:
                coming.cancel()
            if following is None:
                break
            batch = following
        level = logging.WARNING if aside else logging.DEBUG
        log.log(
            level,
            "batch %d (%s): %d records, %d known before, %d set aside",
            *(row["id"], row["origin"], counted, repeated, aside),
        )


class _Work:
    """The batches of one body, made in a thread."""

    def __init__(self, found: Iterator[Share], row: Any, now: int) -> None:
        self._shares = found
        self._origin, self._server, self._id = row["origin"], row["server"], row["id"]
        self._now = now
        self._reading = Reading()
        self._count = 0

    def next(self) -> Batch | None:
        """None behind the last."""
        share = next(self._shares, None)
        if share is None:
            return None
        facts = self._reading.facts(share.pieces, self._now)
        place = f"batch {self._id}, record {self._count + 1}"
        self._count += len(facts) + len(share.set_aside)
        return Batch(self._origin, self._server, place, facts, share.set_aside)


def _full() -> RefusedError:
    return RefusedError(
        "too many batches wait to be taken in (accounting.inbox); come again", kind=kinds.BUSY
    )


def _kept(body: bytes, most: int) -> bytes:
    """As it is stored: packed. Raises InflatedError."""
    content = inflated(body, most)
    if body[:2] == b"\x1f\x8b":
        return body
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(content) + packer.flush()
