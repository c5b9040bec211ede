"""The durable accept: group commit of messages into the hold.

Owns: batches, the budget of a commit, settling a commit nobody answered. Not here: what happens
to held rows afterwards (`releaser`, `settling`).
Rules (policy/README.md: hold): 250 only after a commit; a failed batch is tried message by message;
after an unknown commit a tombstone under the same id, on a connection of its own, either finds the
row or makes a late commit impossible. What is proved not to be committed is tried again while the
budget lasts: PostgreSQL restarts in less.
Failure: `NOT_KEPT` or `UNSURE`, and the caller defers.
"""

import asyncio
from collections import deque

from gateway.hold.database import PARTITION, AwayError, Database, RefusedError, UnknownError
from gateway.hold.keep.content import Contents
from gateway.hold.keep.packing import Packed, packed, values
from gateway.hold_port import Keeping, Kept
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.limits import day_of
from settings.statements import statements

_SQL = statements("gateway.hold.keep", "keep")
_KEEP = _SQL["keep"]
_KEEP_AGAIN = f"{_KEEP}\n{_SQL['keep_again']}"
_TOMBSTONE = _SQL["tombstone"]

_FLIGHTS = 2
"""Commits at a time: one is encoded while the other is synced; more only make batches smaller."""
_WORTH = 32
"""Messages for which a second commit leaves before the first has landed: a commit by itself costs
the gateway and PostgreSQL as much as ten messages in it."""
_LARGE = 262_144
_PAUSE = 0.1
_SETTLING = 0.4
"""Share of the budget kept back for the tombstone."""
_NO_PARTITION = "23514"
_AGAIN = frozenset({"40001", "40P01", "55P03", _NO_PARTITION})
"""Serialization, deadlock, lock timeout, a day without its partition: nothing was committed, and
the next try may be."""


_BATCH = metrics.histogram(
    "sendgate_hold_batch_size", "Messages in one commit of the hold.", metrics.SIZES
)


class _Job:
    """One message on its way into the hold."""

    __slots__ = ("deadline", "done", "guard", "packed")

    def __init__(self, packed: Packed, deadline: float) -> None:
        self.packed = packed
        self.deadline = deadline
        self.done: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self.guard = 0
        """Times it was settled as not committed."""

    def end(self, kept: Kept) -> None:
        if not self.done.done():
            self.done.set_result(kept)


class Store:
    """Commits messages. One instance a process."""

    def __init__(
        self,
        database: Database,
        contents: Contents,
        *,
        batch: int,
        batch_bytes: int,
        budget: float,
        log: Log,
    ) -> None:
        """`budget` in seconds for one message."""
        self._database = database
        self._contents = contents
        self._batch = batch
        self._batch_bytes = batch_bytes
        self._budget = budget
        self._log = log
        self._queue: deque[_Job] = deque()
        self._flights: set[asyncio.Task[None]] = set()
        self._days: set[int] = set()
        self._called = False

    def __repr__(self) -> str:
        return f"<Store: {len(self._queue)} waiting, {len(self._flights)} under way>"

    async def keep(self, keeping: Keeping, now: int, within: float) -> Kept:
        """Commit one message, within the budget and `within` seconds. `now` in ledger
        milliseconds: its day is the partition, for ever."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(self._budget, within)
        message = keeping.message
        if message.size > _LARGE:
            # Compressing megabytes here would make every other session wait.
            codec, content = await asyncio.to_thread(
                self._contents.pack, message.id, keeping.head, message.body
            )
        else:
            codec, content = self._contents.pack(message.id, keeping.head, message.body)
        row = packed(keeping, bucket=day_of(now), now=now, codec=codec, content=content)
        job = _Job(row, deadline)
        self._queue.append(job)
        if not self._called:
            # What else this turn of the loop brings goes along.
            self._called = True
            loop.call_soon(self._call)
        return await job.done

    async def drain(self) -> None:
        """Wait for what is under way."""
        while self._queue or self._flights:
            self._take_off()
            await asyncio.wait(self._flights)

    def _call(self) -> None:
        self._called = False
        self._take_off()

    def _take_off(self) -> None:
        while self._queue and len(self._flights) < _FLIGHTS:
            if self._flights and len(self._queue) < _WORTH:
                return  # it leaves when the one under way has landed
            batch: list[_Job] = []
            octets = 0
            while self._queue and len(batch) < self._batch and octets < self._batch_bytes:
                job = self._queue.popleft()
                octets += job.packed.octets
                batch.append(job)
            flight = asyncio.get_running_loop().create_task(self._fly(batch))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        if not flight.cancelled() and (error := flight.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a hold commit failed", "exception": error, "task": flight}
            )
        self._take_off()

    async def _fly(self, batch: list[_Job]) -> None:
        try:
            await self._commit(batch)
        finally:
            for job in batch:
                # Reached without an answer by a bug or a cancellation only.
                job.end(Kept.UNSURE)

    async def _commit(self, batch: list[_Job]) -> None:
        loop = asyncio.get_running_loop()
        _BATCH.observe(len(batch))
        # Those that came later in the batch have more time; the first one's is everybody's.
        deadline = min(job.deadline for job in batch)
        last = deadline - self._budget * _SETTLING
        while True:
            patience = last - loop.time()
            if patience <= 0:
                return self._give_up(batch)
            try:
                await self._insert(batch, last)
            except AwayError as error:
                self._log.warning("hold_away", why=str(error), messages=len(batch))
            except UnknownError as error:
                self._log.warning("hold_commit_unknown", why=str(error), messages=len(batch))
                batch = await self._settle(batch, deadline)
            except RefusedError as error:
                if error.code == _NO_PARTITION:
                    self._days.clear()
                if error.code in _AGAIN:
                    self._log.warning("hold_again", why=str(error), messages=len(batch))
                elif len(batch) > 1:
                    for job in batch:
                        await self._commit([job])
                    return None
                else:
                    self._log.error("hold_refused", why=str(error), message=batch[0].packed.message)
                    return self._give_up(batch)
            else:
                for job in batch:
                    job.end(Kept.KEPT)
                return None
            if not batch:
                return None
            await asyncio.sleep(_PAUSE)

    async def _insert(self, batch: list[_Job], last: float) -> None:
        """One commit, all of it before `last` (loop time)."""
        loop = asyncio.get_running_loop()

        def left() -> float:
            return max(last - loop.time(), 0.01)

        async with self._database.connection(left()) as link:
            for day in {job.packed.bucket for job in batch} - self._days:
                await link.execute(PARTITION, day, timeout=left())
                self._days.add(day)
            again = [job for job in batch if job.guard]
            first = [job.packed for job in batch if not job.guard]
            if not again:
                await link.execute(_KEEP, *values(first), timeout=left())
                return
            await link.execute("BEGIN", timeout=left())
            if first:
                await link.execute(_KEEP, *values(first), timeout=left())
            for job in again:
                rows = await link.fetch(
                    _KEEP_AGAIN, *values([job.packed]), job.guard, timeout=left()
                )
                assert len(rows) == len(job.packed.rows), "only we settle our messages"
            await link.execute("COMMIT", timeout=left())

    async def _settle(self, batch: list[_Job], deadline: float) -> list[_Job]:
        """After a commit nobody answered. Returns those proved not to be committed."""
        patience = max(deadline - asyncio.get_running_loop().time(), 0.01)
        ids = [job.packed.first for job in batch]
        days = [job.packed.bucket for job in batch]
        try:
            async with asyncio.timeout(patience), self._database.fresh(patience) as link:
                found = await link.fetch(_TOMBSTONE, days, ids, batch[0].packed.now)
        except (AwayError, UnknownError, TimeoutError) as error:
            self._log.error("hold_unsure", why=str(error), messages=ids[:20], count=len(ids))
            for job in batch:
                job.end(Kept.UNSURE)
            return []
        guards = {row["id"]: row["failures"] for row in found}
        left = []
        for job, row in zip(batch, ids, strict=True):
            if row in guards:
                job.guard = guards[row]
                left.append(job)
            else:
                job.end(Kept.KEPT)
        self._log.info("hold_settled", kept=len(batch) - len(left), not_kept=len(left))
        return left

    def _give_up(self, batch: list[_Job]) -> None:
        for job in batch:
            job.end(Kept.NOT_KEPT)
