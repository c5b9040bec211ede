"""Group commit of what became of claimed and doubtful rows.

Owns: getting every settlement into PostgreSQL, however long it is away, and the duplicate entry
after it. Rule: applying one twice changes nothing (it names the attempt it leaves), so a commit
nobody answered is simply sent again.
Failure: what a killed process could not write becomes doubt, and accounting settles that.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from gateway.hold.database import AwayError, Database, RefusedError, UnknownError
from gateway.hold.held import WITHDRAWN, Settlement
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.ledger_port import ENDED, Change, EntryState
from settings.statements import statements

_SQL = statements("gateway.hold.settle", "settle")
_SETTLE = _SQL["settle"]
_BATCH = 500
_PAUSE = 0.5
_AGAIN = 0.1
"""Seconds between two tries while a client waits for its answer."""
_PATIENCE = 10.0
_ENTRY = {
    "held": EntryState.HELD,
    "done": EntryState.SENT,
    "doubt": EntryState.DOUBT,
    "refused": EntryState.FREE,
}


GIVEN_UP = metrics.counters(
    "sendgate_hold_given_up_total",
    "Held recipients given up, by ending: expired, failed, refused, dropped, forgotten.",
    {"ending": ("expired", "failed", "refused", "dropped", "forgotten")},
)


class Settler:
    """Writes settlements. One instance a process."""

    def __init__(
        self,
        database: Database,
        *,
        change: Callable[[Change], None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`change` takes changes of duplicate entries; `now` in ledger milliseconds."""
        self._database = database
        self._change = change
        self._now = now
        self._log = log
        self._queue: list[Settlement] = []
        self._pending: Counter[tuple[int, str]] = Counter()
        self._flight: asyncio.Task[None] | None = None
        self._patience = float("inf")

    def __repr__(self) -> str:
        return f"<Settler: {len(self._queue)} waiting>"

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write them soon."""
        self._queue += settlements
        self._pending.update((s.bucket, s.id) for s in settlements)
        if self._flight is None and self._queue:
            self._flight = asyncio.get_running_loop().create_task(self._fly())

    def waits(self, bucket: int, row: str) -> bool:
        """Whether a settlement of this row is still on its way."""
        return (bucket, row) in self._pending

    async def at_once(self, settlements: Sequence[Settlement], within: float) -> bool:
        """Write them now; False: not certain within so many seconds, and not tried any more. What
        is then settled instead applies whether they were written or not."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        tell = self._log.warning
        for start in range(0, len(settlements), _BATCH):
            batch = list(settlements[start : start + _BATCH])
            while True:
                left = min(until - loop.time(), _PATIENCE)
                if left <= 0:
                    return False
                try:
                    if await self._put(batch, left) < len(batch):
                        return False  # somebody had one of the rows before
                    break
                except (AwayError, UnknownError, RefusedError) as error:
                    tell("settling_waits", why=str(error), count=len(batch))
                    tell = self._log.debug  # the same again, ten times a second
                await asyncio.sleep(min(_AGAIN, max(until - loop.time(), 0.0)))
        return True

    async def drain(self, patience: float) -> None:
        """Write what waits, for at most `patience` seconds of an absent PostgreSQL."""
        self._patience = asyncio.get_running_loop().time() + patience
        if self._flight is not None:
            await asyncio.wait([self._flight])

    async def _fly(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                batch = self._batch()
                while not await self._write(batch):
                    if loop.time() > self._patience:
                        self._log.error("settlements_lost", count=len(batch) + len(self._queue))
                        return
                    await asyncio.sleep(_PAUSE)
                for settled in batch:
                    key = (settled.bucket, settled.id)
                    self._pending[key] -= 1
                    if not self._pending[key]:
                        del self._pending[key]
        finally:
            self._flight = None

    def _batch(self) -> list[Settlement]:
        """The next ones, no row twice: PostgreSQL would apply one of them, and not say which."""
        seen: set[tuple[int, str]] = set()
        for settled in self._queue[:_BATCH]:
            if (settled.bucket, settled.id) in seen:
                break
            seen.add((settled.bucket, settled.id))
        batch, self._queue = self._queue[: len(seen)], self._queue[len(seen) :]
        return batch

    async def _write(self, batch: list[Settlement]) -> bool:
        try:
            await self._put(batch, _PATIENCE)
        except (AwayError, UnknownError) as error:
            self._log.warning("settling_waits", why=str(error), count=len(batch))
            return False
        except RefusedError as error:
            self._log.error("settling_refused", why=str(error), count=len(batch))
            if error.passes:
                return False
            for settled in batch if len(batch) > 1 else ():
                while not await self._write([settled]):
                    await asyncio.sleep(_PAUSE)
            # A single one that can never be written stays claimed, and is doubt after we end.
        return True

    async def _put(self, batch: list[Settlement], within: float) -> int:
        """How many of the rows are as they were to be. Raises AwayError, UnknownError,
        RefusedError."""
        until = asyncio.get_running_loop().time() + within
        columns = zip(
            *(
                (
                    s.bucket,
                    s.id,
                    s.attempt,
                    s.state,
                    s.reason,
                    s.detail,
                    s.due,
                    s.failed,
                    s.blamed,
                    s.ending,
                    s.verdict,
                    s.event,
                    s.dsn,
                )
                for s in batch
            ),
            strict=True,
        )
        async with self._database.connection(within) as link:
            left = max(until - asyncio.get_running_loop().time(), 0.01)
            rows = await link.fetch(_SETTLE, *map(list, columns), self._now(), timeout=left)
        for row in rows:
            if row["key"]:
                state = _ENTRY[row["state"]]
                if row["ending"] == WITHDRAWN:
                    state = EntryState.FREE
                attempt = ENDED if state is EntryState.FREE else row["attempt"]
                self._change(Change(row["key"], row["id"], attempt, state))
        for settled in batch:
            if settled.event:
                GIVEN_UP.labels(settled.event).inc()
        return len({row["id"] for row in rows})
