"""What Python and the kernel take of a message before any work of ours: a proxy of bare protocols.

    python -m loadtest.benchmark.floor [--rounds 5] [--json FILE]

4 KB, kept-alive, 20 connections. The proxy answers a client and speaks to the sink as a worker of
Sendgate does, in four replies and two writes a message, on the same event loop; it looks at
nothing, asks no ledger, logs nothing. Direct, proxy and Sendgate take turns. The worker's CPU above
the proxy's is what our own code costs; the rates pay for Valkey and its synced writes, too.
"""

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from loadtest.benchmark import compiled, processes, single
from loadtest.benchmark.case import KB, Case
from loadtest.benchmark.figures import encoded
from loadtest.benchmark.machine import Machine, machine
from loadtest.benchmark.push import push
from loadtest.benchmark.sinks import SINK_PORT, sink
from loadtest.benchmark.stack import SMTP_PORT, stack

PORT = 2599
CASE = Case(size=4 * KB, kept=True, connections=20, workers=1, messages=12_000)
_RELAYS = 2 * CASE.connections
_ENVELOPE = b"MAIL FROM:<news@bench.example>\r\nRCPT TO:<you@dest.example>\r\nDATA\r\n"
_START = 10.0
"""Seconds it may take to open its sessions."""
_END = b"\r\n.\r\n"


class _Relay(asyncio.Protocol):
    """A session with the sink; its greeting comes first."""

    def __init__(self, idle: "deque[_Relay]") -> None:
        self._idle = idle
        self._owed = 1
        """Replies that are due before the next step."""
        self._next = b"EHLO floor.example\r\n"
        """What is said then; empty: nothing, the session is idle."""
        self._client: _Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, client: "_Client", content: bytes) -> None:
        """`content` with its final dot."""
        self._client, self._next = client, content
        self._say(_ENVELOPE, 3)

    def data_received(self, data: bytes) -> None:
        self._owed -= replies(data)
        if self._owed < 0:
            raise RuntimeError(f"the sink said too much: {data!r}")
        if self._owed:
            return
        if self._next:
            said, self._next = self._next, b""
            self._say(said, 1)
            return
        self._idle.append(self)
        if self._client is not None:
            self._client.answered()

    def _say(self, data: bytes, owed: int) -> None:
        self._owed = owed
        self._transport.write(data)


def replies(data: bytes) -> int:
    """Whole replies in `data`, which ends with a line: RFC 5321 4.2, a line with `-` goes on."""
    return sum(line[3:4] != b"-" for line in data.splitlines())


class _Client(asyncio.Protocol):
    """A session with the load."""

    def __init__(self, idle: deque[_Relay]) -> None:
        self._idle = idle
        self._content: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 floor.example ESMTP\r\n")

    def answered(self) -> None:
        self._transport.write(b"250 2.0.0 OK\r\n")

    def data_received(self, data: bytes) -> None:
        if self._content is not None:
            self._content += data
            if self._content.endswith(_END):
                content, self._content = self._content, None
                self._idle.popleft().send(self, content)
        elif data.startswith(b"DATA"):
            self._content = b""
            self._transport.write(b"354 go ahead\r\n")
        elif data.startswith(b"QUIT"):
            self._transport.write(b"221 2.0.0 Bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 2.0.0 OK\r\n")


async def _serve() -> None:
    """Until killed."""
    loop = asyncio.get_running_loop()
    idle: deque[_Relay] = deque()
    async with asyncio.timeout(_START):
        for _ in range(_RELAYS):
            await loop.create_connection(lambda: _Relay(idle), "127.0.0.1", SINK_PORT)
        server = await loop.create_server(lambda: _Client(idle), "127.0.0.1", PORT, backlog=1024)
        while len(idle) < _RELAYS:
            await asyncio.sleep(0.01)
    print("ready", flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def _proxy() -> Iterator[int]:
    """Its pid."""
    command = [sys.executable, "-m", "loadtest.benchmark.floor", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline().startswith("ready"):
                raise RuntimeError(f"no proxy on port {PORT}")
            yield process.pid
        finally:
            process.kill()


class Floor(msgspec.Struct):
    """Round by round: messages a second, and microseconds of CPU a message of the one process."""

    machine: Machine
    direct: list[float] = []
    proxy: list[float] = []
    sendgate: list[float] = []
    proxy_cpu: list[float] = []
    worker_cpu: list[float] = []

    def __str__(self) -> str:
        direct = statistics.median(self.direct)
        lines = [f"direct      {direct:>7.0f}/s"]
        for name, rates, cpu in (
            ("bare proxy", self.proxy, self.proxy_cpu),
            ("sendgate", self.sendgate, self.worker_cpu),
        ):
            rate = statistics.median(rates)
            used = statistics.median(cpu)
            lines.append(f"{name:<11} {rate:>7.0f}/s  {rate / direct:.2f} of direct  {used:.0f} us")
        return "\n".join(lines)


def _pushed(port: int, pid: int, process: str) -> tuple[float, float]:
    """Rate, and microseconds a message of the process so named below `pid`."""
    before = processes.usage(pid)
    rate = push(CASE, port, CASE.messages).rate
    after = processes.usage(pid)
    return rate, (after[process].cpu - before[process].cpu) / CASE.messages * 1e6


def measure(rounds: int) -> Floor:
    """Raises RuntimeError."""
    found = Floor(machine())
    with sink(), stack(1) as running, _proxy() as proxy:
        # `usage` knows a process by what it runs; this one is its interpreter to it.
        name = processes.name_of(Path(f"/proc/{proxy}/cmdline").read_bytes())
        for port in (PORT, SMTP_PORT):
            push(CASE, port, 1000)
        for number in range(rounds):
            print(f"round {number + 1}", file=sys.stderr, flush=True)
            found.direct.append(push(CASE, SINK_PORT, 2 * CASE.messages).rate)
            rate, cpu = _pushed(PORT, proxy, name)
            found.proxy.append(rate)
            found.proxy_cpu.append(cpu)
            rate, cpu = _pushed(SMTP_PORT, running.pid, "worker 0")
            found.sendgate.append(rate)
            found.worker_cpu.append(cpu)
    return found


def main() -> int:
    parser = single.parser("floor", __doc__, rounds=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        uvloop.run(_serve())
        return 0
    compiled.use(interpreted=options.interpreted)
    found = measure(options.rounds)
    print(found)
    if options.json:
        options.json.write_bytes(encoded(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
