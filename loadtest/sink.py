"""A sink of our own: answers late, defers some, stalls now and then, and counts by message.

    python -m loadtest.sink --port 2525 --delay 0.005 --defer 0.02 --stall-every 20 --stall 2

smtp-sink can do none of the first three (its -w and -W wait whole seconds, its -r refuses every
command of a kind) and does not tell messages apart. Prints a line beginning `ready`; on SIGTERM
one JSON object: `taken` messages, `distinct` numbers among them (the injector's Message-ID),
`twice` how often one came again, `deferred`, `strange` without a number of the injector's.
Rule: replies to one read leave together, `--delay` later: what a server with a pipelining client
does. Stalls hold every reply back; nothing is lost by them.
Failure: a port that is taken is one line and exit status 1; it takes any dialogue.
"""

import argparse
import asyncio
import random
import re
import signal
import sys
from typing import cast

import msgspec
import uvloop

_NUMBER = re.compile(rb"\r\nMessage-ID: <(\d{1,10})\.[a-z0-9]+@", re.IGNORECASE)
_HEAD = 8192
"""Octets of a message that are searched for its number."""
_EHLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 0\r\n"
_REPLIES = {
    b"EHLO": _EHLO,
    b"HELO": b"250 sink\r\n",
    b"DATA": b"354 end with a dot\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
    b"AUTH": b"235 2.7.0 yes\r\n",
}
_OK = b"250 2.0.0 ok\r\n"
_TAKEN = b"250 2.0.0 taken\r\n"
_DEFERRED = b"451 4.3.0 not now\r\n"
_END = b"\r\n.\r\n"


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, `defer` a share of messages."""

    delay: float = 0.0
    defer: float = 0.0
    stall_every: float = 0.0
    stall: float = 0.0

    def late(self, now: float) -> float:
        """How long a reply of `now` (seconds since the start) waits: a stall begins every
        `stall_every` seconds, and the first one after the first such time."""
        if not self.stall_every or now < self.stall_every:
            return self.delay
        return max(self.delay, self.stall - now % self.stall_every)


class Counts:
    """Which numbers came, and how often."""

    def __init__(self) -> None:
        self.taken = self.twice = self.distinct = self.deferred = self.strange = 0
        self._seen = bytearray()

    def take(self, head: bytes) -> None:
        """Count a message by the beginning of its content."""
        self.taken += 1
        found = _NUMBER.search(head)
        if found is None:
            self.strange += 1
            return
        number = int(found[1])
        if number >= len(self._seen):
            self._seen.extend(bytes(number + 65_536 - len(self._seen)))
        if self._seen[number]:
            self.twice += 1
        else:
            self._seen[number] = 1
            self.distinct += 1

    def report(self) -> dict[str, int]:
        """As it is printed."""
        names = ("taken", "distinct", "twice", "deferred", "strange")
        return {name: getattr(self, name) for name in names}


class Sink(asyncio.Protocol):
    """One session."""

    def __init__(self, behaviour: Behaviour, counts: Counts, chance: random.Random) -> None:
        self._behaviour = behaviour
        self._counts = counts
        self._chance = chance
        self._started = 0.0
        self._buffer = bytearray()
        self._in_data = False
        self._searched = 0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def started(self, when: float) -> "Sink":
        """Stalls are counted from `when`, on the loop's clock."""
        self._started = when
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._answer(b"220 sink ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = b"".join(iter(self._step, b""))
        if replies:
            self._answer(replies)

    def _step(self) -> bytes:
        """The reply to the next whole thing in the buffer; b"" when there is none."""
        buffer = self._buffer
        if self._in_data:
            # The CRLF before the dot may be the one that ended DATA: then the message is empty.
            end = buffer.find(_END, max(0, self._searched - 4))
            if end < 0 and buffer.startswith(b".\r\n"):
                end = -2
            elif end < 0:
                self._searched = len(buffer)
                return b""
            head = b"\r\n" + bytes(buffer[: min(max(end, 0), _HEAD)])
            del buffer[: end + 5]
            self._in_data, self._searched = False, 0
            return self._dot(head)
        end = buffer.find(b"\n")
        if end < 0:
            return b""
        verb = bytes(buffer[:4]).upper()
        del buffer[: end + 1]
        self._in_data = verb == b"DATA"
        return _REPLIES.get(verb, _OK)

    def _dot(self, head: bytes) -> bytes:
        if self._behaviour.defer and self._chance.random() < self._behaviour.defer:
            self._counts.deferred += 1
            return _DEFERRED
        self._counts.take(head)
        return _TAKEN

    def _answer(self, replies: bytes) -> None:
        late = self._behaviour.late(self._loop.time() - self._started)
        if late:
            self._loop.call_later(late, self._write, replies)
        else:
            self._write(replies)

    def _write(self, replies: bytes) -> None:
        if self._transport is None:
            return
        self._transport.write(replies)
        if replies.endswith(_REPLIES[b"QUIT"]):
            self._transport.close()


async def serve(port: int, behaviour: Behaviour) -> None:
    """Until SIGTERM; prints the counts then."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    counts, chance, start = Counts(), random.Random(7), loop.time()
    server = await loop.create_server(
        lambda: Sink(behaviour, counts, chance).started(start), "127.0.0.1", port, backlog=1000
    )
    print(f"ready port={server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()
    print(msgspec.json.encode(counts.report()).decode(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="sink", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--defer", type=float, default=0.0, help="share of messages to answer 451")
    parser.add_argument("--stall-every", type=float, default=0.0, help="seconds; 0: never")
    parser.add_argument("--stall", type=float, default=0.0, help="seconds a stall lasts")
    options = parser.parse_args()
    behaviour = Behaviour(
        delay=options.delay,
        defer=options.defer,
        stall_every=options.stall_every,
        stall=options.stall,
    )
    try:
        uvloop.run(serve(options.port, behaviour))
    except OSError as error:
        print(f"sink: port {options.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
