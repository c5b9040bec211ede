"""What became of each message, on its way to control's table: after the answer, batched, bounded.

Owns: a queue of this process, and one stream beside the ledger's keys. The message path appends
what its log line says anyway, and waits for nothing.
Rules: what does not fit the queue, and a batch whose writing failed, is dropped and counted, never
written twice: it is a record for people, promises are kept without it. An entry has at most `ENTRY`
octets and the stream `STREAM` entries: with control away the oldest go, and no more than 64 MB of
the ledger's memory are theirs.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.watch import metrics
from gateway.watch.log import Value
from policy.ledger.bulletin import OUTCOMES
from policy.ledger.ledger import root_key

QUEUE = 20_000
"""Recipients a process keeps meanwhile; a second's worth and more."""
ENTRY = 16_384
STREAM = 4_096
EVERY = 1.0
_LONGEST = 200
"""Characters kept of a reply or a reason."""

_DROPPED: Final = metrics.counter(
    "sendgate_outcomes_dropped_total",
    "Messages missing in control's table because the queue was full or the ledger away; the log "
    "has them.",
)

_encode = msgspec.json.Encoder().encode


class Outcomes:
    """One process's."""

    def __init__(self, client: Redis, name: str, *, now: Callable[[], int]) -> None:
        """`name` is the ledger's, `now` its time in milliseconds."""
        self._client = client
        self._key = f"{root_key(name)}{OUTCOMES}"
        self._now = now
        self._waiting = 0
        self._queue: deque[tuple[int, dict[str, Value]]] = deque()

    def hear(self, fields: dict[str, Value]) -> None:
        """The fields of a message's log line; not to be changed afterwards. One that was not read
        to its end has no id, and is in the log alone."""
        recipients = fields.get("recipients")
        if "message" not in fields or not isinstance(recipients, list):
            return
        if self._waiting + len(recipients) <= QUEUE:
            self._waiting += len(recipients)
            self._queue.append((self._now(), fields))
        else:
            _DROPPED.inc()

    async def run(self) -> None:
        """Side task, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write what was heard; never raises for a ledger that is away."""
        while self._queue:
            count = min(len(self._queue), 1_000)
            batch = [self._queue.popleft() for _ in range(count)]
            self._waiting -= sum(len(_recipients(fields)) for _, fields in batch)
            try:
                async with self._client.pipeline(transaction=False) as pipe:
                    for entry in entries(batch):
                        pipe.xadd(self._key, {"o": entry}, maxlen=STREAM, approximate=True)
                    await pipe.execute()
            except (RedisError, OSError, TimeoutError):
                _DROPPED.inc(count)
                return


def entries(batch: list[tuple[int, dict[str, Value]]]) -> Iterator[bytes]:
    """JSON lines, so many as fit."""
    lines: list[bytes] = []
    size = 0
    for at, fields in batch:
        for line in _lines(at, fields):
            if lines and size + len(line) + 1 > ENTRY:
                yield b"\n".join(lines)
                lines, size = [], 0
            lines.append(line)
            size += len(line) + 1
    if lines:
        yield b"\n".join(lines)


def _recipients(fields: dict[str, Value]) -> list[str]:
    found = fields["recipients"]
    assert isinstance(found, list)
    return found


def _lines(at: int, fields: dict[str, Value]) -> Iterator[bytes]:
    """One for each recipient."""
    get: Callable[[str, Any], Any] = fields.get
    why = get("reply", "") or get("why", "") or get("reason", "")
    for recipient in _recipients(fields):
        yield _encode(
            (
                *(at, fields["message"], fields["tenant"], recipient, fields["outcome"]),
                *(get("job", ""), get("vmta", ""), get("server", ""), get("envelope", "")),
                str(why)[:_LONGEST],
            )
        )
