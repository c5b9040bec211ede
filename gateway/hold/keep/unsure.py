"""Commits of which nobody knows, and whose clients were told to come again.

Owns: ending them. The client sends the message again, so what a commit that arrives late would
leave here must never go: every row is ended, or made impossible, however long PostgreSQL is away.
Only then is the duplicate entry free; until then it is in doubt, and the client's copy is held
behind rows that may still come.
Rule: none is dropped. How many are too many is `full`, and it is new mail that gives way then:
each of these was a message that was to be kept, so that there are no more than that and what is
under way.
Failure: what a process could not write before it ended stays as it is: with a duplicate entry the
copy waits for those rows, and without one nothing tells it from another message.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from gateway.hold.database import PARTITION, AwayError, Database, RefusedError, UnknownError
from gateway.hold_port import Keeping
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.identity import row_id
from policy.ledger_port import ENDED, Change, EntryState
from settings.statements import statements

_SQL = statements("gateway.hold.keep", "keep")
_UNSURE = _SQL["unsure"]
_PAUSE = 0.5
_PATIENCE = 10.0
_TOLD = "its client was told to come again"

_WAITING = metrics.gauge(
    "sendgate_hold_unsure_waiting",
    "Commits into the hold of which nobody knows and whose clients were told to come again, until "
    "they are ended; from hold.unsure on, mail that would be held is deferred.",
)


class _Commit(msgspec.Struct):
    """One message's, in the partition of its day."""

    bucket: int
    message: str
    rows: list[str]
    attempt: int
    key: str


class Unsure:
    """Ends them one by one. One instance a process."""

    def __init__(
        self,
        database: Database,
        *,
        most: int,
        change: Callable[[Change], None],
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`most` is where mail is turned away; `change` takes changes of duplicate entries; `now`
        in ledger milliseconds."""
        self._database = database
        self._most = most
        self._change = change
        self._now = now
        self._log = log
        self._queue: deque[_Commit] = deque()
        self._flight: asyncio.Task[None] | None = None
        self._patience = float("inf")

    def __repr__(self) -> str:
        return f"<Unsure: {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        """Commits that are not ended yet."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """No more mail that could add to it."""
        return len(self._queue) >= self._most

    def gauge(self) -> None:
        """Show how many wait."""
        _WAITING.set(len(self._queue))

    def end(self, keeping: Keeping, bucket: int) -> None:
        """Its client hears that it was not stored."""
        message = keeping.message
        count = len(message.recipients)
        rows = [row_id(message.id, number, count) for number in range(count)]
        self._queue.append(_Commit(bucket, message.id, rows, keeping.attempt, keeping.key))
        if self._flight is None:
            self._flight = asyncio.get_running_loop().create_task(self._fly())

    async def drain(self, patience: float) -> None:
        """End what waits, for at most `patience` seconds of an absent PostgreSQL."""
        self._patience = asyncio.get_running_loop().time() + patience
        if self._flight is not None:
            await asyncio.wait([self._flight])

    async def _fly(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                if loop.time() > self._patience:
                    self._log.error("unsure_lost", count=len(self._queue))
                    return
                if await self._write(self._queue[0]):
                    self._queue.popleft()
                else:
                    await asyncio.sleep(_PAUSE)
        finally:
            self._flight = None

    async def _write(self, commit: _Commit) -> bool:
        try:
            async with self._database.connection() as link:
                # The day's may have been what was not answered.
                await link.execute(PARTITION, commit.bucket, timeout=_PATIENCE)
                found = await link.fetch(
                    _UNSURE, commit.bucket, commit.rows, self._now(), commit.attempt, _TOLD,
                    timeout=_PATIENCE,
                )  # fmt: skip
        except (AwayError, UnknownError) as error:
            self._log.warning("unsure_waits", why=str(error), message=commit.message)
            return False
        except RefusedError as error:
            self._log.error("unsure_refused", why=str(error), message=commit.message)
            return not error.passes
        ended = {row["id"]: row["key"] for row in found}
        for row, key in ended.items():
            if key:
                self._change(Change(key, row, ENDED, EntryState.FREE))
        if commit.key and len(ended) == len(commit.rows):
            # Otherwise the releaser took one up before: its entry stays in doubt.
            self._change(Change(commit.key, commit.message, ENDED, EntryState.FREE))
        return True
