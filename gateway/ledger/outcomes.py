"""What became of each message, on its way to control's table: after the answer, batched, bounded.

Owns: a queue of this process, and one stream beside the ledger's keys. The message path appends
what its log line says anyway, and waits for nothing.
Rules: what does not fit the queue, and a batch whose writing failed, is dropped and counted, never
written twice: it is a record for people, promises are kept without it. An entry has at most `ENTRY`
octets and the stream `STREAM` entries: with control away the oldest go, and no more than 64 MB of
the ledger's memory are theirs. How many were told stands beside the stream (`OUTCOMES_TOLD`), so
that control knows how many it never saw.
"""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.watch import metrics
from gateway.watch.log import Log, Value
from policy.ledger.bulletin import OUTCOMES, OUTCOMES_TOLD
from policy.ledger.ledger import root_key

QUEUE = 20_000
"""Recipients a process keeps meanwhile; a second's worth and more."""
ENTRY = 16_384
STREAM = 4_096
EVERY = 1.0
TURN = 400
"""Recipients encoded in one turn of the loop, and written by one call: a millisecond. A thousand
messages with their recipients in one took 29 ms, for which nobody was answered."""
_LONGEST = 200
"""Characters kept of a reply or a reason."""

_DROPPED: Final = metrics.counter(
    "sendgate_outcomes_dropped_total",
    "Recipients whose outcome is missing in control's table because the queue was full or it could "
    "not be written to the ledger; the log has them.",
)

_encode = msgspec.json.Encoder().encode

Heard = tuple[int, dict[str, Value], list[str]]
"""(milliseconds, fields of the log line, its recipients or the rest of them)."""


class Outcomes:
    """One process's."""

    def __init__(self, client: Redis, name: str, log: Log, *, now: Callable[[], int]) -> None:
        """`name` is the ledger's, `now` its time in milliseconds; `log` hears of what nobody
        expected."""
        self._client = client
        self._key = f"{root_key(name)}{OUTCOMES}"
        self._told = f"{root_key(name)}{OUTCOMES_TOLD}"
        self._log = log
        self._now = now
        self._waiting = 0
        self._queue: deque[Heard] = deque()

    def hear(self, fields: dict[str, Value]) -> None:
        """The fields of a message's log line; not to be changed afterwards. One that was not read
        to its end has no id, and is in the log alone."""
        recipients = fields.get("recipients")
        if "message" not in fields or not isinstance(recipients, list):
            return
        if self._waiting + len(recipients) <= QUEUE:
            self._waiting += len(recipients)
            self._queue.append((self._now(), fields, recipients))
        else:
            _DROPPED.inc(len(recipients))

    async def run(self) -> None:
        """Side task, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write what was heard, until it is written or a batch fails; raises nothing but a
        cancellation, which costs the batch, too."""
        while self._queue:
            count, batch = self._next()
            written = False
            try:
                await self._write(count, batch)
                written = True
            except (RedisError, OSError, TimeoutError):
                return
            except Exception:  # noqa: BLE001 - a record for people ends no worker: said, counted
                self._log.error("outcomes_failed", count=count, why=traceback.format_exc(limit=-3))
                return
            finally:
                if not written:
                    _DROPPED.inc(count)

    def _next(self) -> tuple[int, list[Heard]]:
        """(recipients, messages) of the next batch, taken out of the queue; of a message with more
        recipients than a turn has, some."""
        count, batch = 0, []
        while self._queue and count < TURN:
            at, fields, recipients = self._queue.popleft()
            room = TURN - count
            if len(recipients) > room:
                self._queue.appendleft((at, fields, recipients[room:]))
                recipients = recipients[:room]
            count += len(recipients)
            batch.append((at, fields, recipients))
        self._waiting -= count
        return count, batch

    async def _write(self, count: int, batch: list[Heard]) -> None:
        """All of it or nothing: what is told is in the stream."""
        async with self._client.pipeline(transaction=True) as pipe:
            for entry in entries(batch):
                pipe.xadd(self._key, {"o": entry}, maxlen=STREAM, approximate=True)
            pipe.incrby(self._told, count)
            await pipe.execute()


def entries(batch: list[Heard]) -> Iterator[bytes]:
    """JSON lines, so many as fit."""
    lines: list[bytes] = []
    size = 0
    for heard in batch:
        for line in _lines(*heard):
            if lines and size + len(line) + 1 > ENTRY:
                yield b"\n".join(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line) + 1
    if lines:
        yield b"\n".join(lines)


def _lines(at: int, fields: dict[str, Value], recipients: list[str]) -> Iterator[bytes]:
    """One for each recipient."""
    get: Callable[[str, Any], Any] = fields.get
    why = get("reply", "") or get("why", "") or get("reason", "")
    for recipient in recipients:
        yield _encode(
            (
                *(at, fields["message"], fields["tenant"], recipient, fields["outcome"]),
                *(get("job", ""), get("vmta", ""), get("server", ""), get("envelope", "")),
                str(why)[:_LONGEST],
                *((get("mailbox", ""),) if fields["outcome"] == "refused" else ()),
            )
        )
