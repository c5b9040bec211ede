"""What idle connections and large messages cost a worker in memory, and what happens beyond.

    python -m loadtest.benchmark.memory [--json FILE]

Two thousand connections that say EHLO and nothing more; then two hundred clients that each push a
message of 10 MB at once at a PowerMTA that is slow to answer. Fails when the worker died, when a
client got something else than 250, 421 or 452, or when a message is not taken afterwards.
"""

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator

import msgspec

from loadtest.benchmark import compiled, processes, single
from loadtest.benchmark.figures import encoded
from loadtest.benchmark.machine import Machine, machine
from loadtest.benchmark.sinks import counting
from loadtest.benchmark.stack import SMTP_PORT, stack

MB = 2**20
IDLE, LARGE, SIZE = 2000, 200, 10 * MB
_WORKER = "worker 0"
_LINE = b"x" * 76 + b"\r\n"
_HEAD = b"From: news@bench.example\r\nSubject: large\r\n\r\n"
_PATIENCE = 120.0


class Memory(msgspec.Struct):
    """What was found; octets."""

    machine: Machine
    resting: int
    """Of the worker before."""
    idle_sessions: int
    """Connections that were greeted; the rest heard 421."""
    idle_refused: int
    per_idle: float
    large: dict[str, int]
    """Answers to the large messages by their code."""
    peak: int
    """Of the worker while they were under way."""
    settled: int
    """Of the worker afterwards."""
    seconds: float


async def _reply(reader: asyncio.StreamReader) -> str:
    """The code of one reply; empty when there is none."""
    with contextlib.suppress(OSError):
        while line := await reader.readline():
            if line[3:4] != b"-":
                return line[:3].decode("ascii")
    return ""


@contextlib.asynccontextmanager
async def _client() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", SMTP_PORT)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> str:
    writer.write(line.encode() + b"\r\n")
    return await _reply(reader)


async def _idle(leave: asyncio.Event, greeted: Counter[str]) -> None:
    async with _client() as (reader, writer):
        code = await _reply(reader)
        if code == "220":
            await _say(reader, writer, "EHLO idle.example")
        greeted[code] += 1
        await leave.wait()


async def _large(size: int) -> str:
    """The code that ended it."""
    with contextlib.suppress(ConnectionError):
        async with _client() as (reader, writer):
            if (code := await _reply(reader)) != "220":
                return code
            envelope = ("EHLO large.example", "MAIL FROM:<news@bench.example>")
            for line in (*envelope, "RCPT TO:<you@dest.example>", "DATA"):
                code = await _say(reader, writer, line)
            if code != "354":
                return code
            writer.write(_HEAD)
            block = _LINE * 800
            for _ in range(size // len(block)):
                writer.write(block)
                await writer.drain()
            writer.write(b".\r\n")
            return await _reply(reader)
    return "lost"


def _worker(root: int) -> processes.Usage:
    return processes.usage(root)[_WORKER]


async def measure(root: int) -> Memory:
    """`root` is the stack's first process. Raises RuntimeError when it does not hold."""
    started = time.monotonic()
    assert await _large(10_000) == "250"
    resting = _worker(root).rss
    greeted: Counter[str] = Counter()
    leave = asyncio.Event()
    async with asyncio.timeout(_PATIENCE), asyncio.TaskGroup() as group:
        for _ in range(IDLE):
            group.create_task(_idle(leave, greeted))
        while greeted.total() < IDLE:
            await asyncio.sleep(0.05)
        idle = _worker(root).rss
        leave.set()
    processes.forget_peaks(root)
    answers = Counter(await asyncio.gather(*(_large(SIZE) for _ in range(LARGE))))
    peak = _worker(root).peak
    if await _large(10_000) != "250":
        raise RuntimeError("no message is taken any more")
    return Memory(
        machine=machine(),
        resting=resting,
        idle_sessions=greeted["220"],
        idle_refused=greeted["421"],
        per_idle=(idle - resting) / max(greeted["220"], 1),
        large=dict(sorted(answers.items())),
        peak=peak,
        settled=_worker(root).rss,
        seconds=time.monotonic() - started,
    )


def main() -> int:
    options = single.parser("memory", __doc__).parse_args()
    compiled.use(interpreted=options.interpreted)
    with counting("--delay", "0.2"), stack(1) as running:
        found = asyncio.run(measure(running.pid))
    print(
        f"idle: {found.idle_sessions} greeted, {found.idle_refused} told 421, "
        f"{found.per_idle / 1024:.1f} KiB each\n"
        f"{LARGE} messages of {SIZE / MB:.0f} MB at once: "
        + ", ".join(f"{count} x {code}" for code, count in found.large.items())
        + f"\nworker: {found.resting / MB:.0f} MiB at rest, {found.peak / MB:.0f} MiB at the peak, "
        f"{found.settled / MB:.0f} MiB afterwards"
    )
    if options.json:
        options.json.write_bytes(encoded(found))
    strange = set(found.large) - {"250", "421", "452"}
    if strange or found.idle_sessions + found.idle_refused != IDLE:
        print(f"memory: answered {', '.join(sorted(strange)) or 'too few'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
