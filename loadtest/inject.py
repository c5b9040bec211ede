"""An injector of N connections: closed loop (as fast as answers come) or paced (open loop).

    python -m loadtest.inject 127.0.0.1:2525 --messages 20000 --connections 20 --campaign

Closed: each session sends its next message when the last is answered. Paced (`--rate`): messages
fall due at a fixed pace whatever the server does, go out on a free session, and wait for one if
none is; that wait counts as latency, so a stalled server cannot hide behind an idle client.
`--processes` share the connections. Prints one JSON object; exit status 1 when a message was not
accepted. Its own ceiling is what it reaches against a sink; the benchmark reports that beside
every figure taken with it.
"""

import argparse
import asyncio
import multiprocessing
import os
import secrets
import ssl
import sys
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import uvloop

from loadtest.injection.mail import Mail
from loadtest.injection.session import Session, State
from loadtest.injection.tally import Tally, together


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where."""

    host: str = "127.0.0.1"
    port: int
    messages: int = 1000
    """Ignored with `seconds`."""
    seconds: float = 0.0
    """Send for so long instead."""
    connections: int = 20
    processes: int = 1
    size: int = 4096
    kept: bool = True
    campaign: bool = False
    domain: str = "bench.example"
    senders: int = 1
    destinations: tuple[str, ...] = ("dest.example",)
    login: tuple[str, str] | None = None
    ca: str = ""
    """STARTTLS, trusting this PEM file."""
    rate: float = 0.0
    """Messages a second; 0: closed loop."""
    timed: bool = True
    """Keep each latency; a long run needs memory for them."""
    run: str = ""
    """Letters and digits no other run has; empty makes some."""


class Injector:
    """One process's share: the numbers `first`, `first + step`, …"""

    def __init__(self, order: Order, first: int, step: int) -> None:
        self.tally = Tally()
        self.mail = Mail(
            order.size,
            order.run,
            campaign=order.campaign,
            domain=order.domain,
            senders=order.senders,
            destinations=order.destinations,
        )
        self.tls = ssl.create_default_context(cafile=order.ca) if order.ca else None
        self.login = order.login
        self.kept = order.kept
        self.timed = order.timed
        self._order = order
        self._number = first
        self._step = step
        self._until = 0.0
        self._ended = asyncio.Event()
        self._open = 0
        self._idle: list[Session] = []
        self._due: deque[tuple[int, float]] = deque()
        self._all_due = not order.rate
        self._connecting: set[asyncio.Task[None]] = set()

    async def run(self, connections: int) -> Tally:
        """Send everything over so many connections."""
        loop = asyncio.get_running_loop()
        before = time.process_time()
        self._until = loop.time() + self._order.seconds if self._order.seconds else 0.0
        for _ in range(connections):
            self._connect()
        if self._order.rate:
            await self._pace()
        await self._ended.wait()
        self.tally.cpu = time.process_time() - before
        return self.tally

    def next(self, session: Session) -> tuple[int, float] | None:
        """See `Load`."""
        if self._order.rate:
            if self._due:
                return self._due.popleft()
            if not self._all_due:
                self._idle.append(session)
            return None
        number = self._take()
        return None if number is None else (number, 0.0)

    def waits(self) -> bool:
        """See `Load`."""
        return not self._all_due

    def over(self) -> None:
        """See `Load`. One message a connection: the next connection follows."""
        self._open -= 1
        failed = self.tally.lost or (not self.tally.accepted and self.tally.trouble)
        more = self._due or not self._all_due if self._order.rate else self._more()
        if not self.kept and more and not failed:
            self._connect()
        elif not self._open:
            self._ended.set()

    def _more(self) -> bool:
        if self._until:
            return asyncio.get_running_loop().time() < self._until
        return self._number < self._order.messages

    def _take(self) -> int | None:
        if not self._more():
            return None
        number = self._number
        self._number += self._step
        return number

    def _connect(self) -> None:
        self._open += 1
        task = asyncio.get_running_loop().create_task(self._connected())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connected(self) -> None:
        session = Session(self)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: session, self._order.host, self._order.port
            )
        except OSError as error:
            self.tally.lost += 1
            self.tally.note(f"connect: {error}")
            session.state = State.CLOSED
            self.over()

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        apart = self._step / self._order.rate
        started, sent = loop.time(), 0
        while (number := self._take()) is not None and self._open:
            due = started + sent * apart
            sent += 1
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if self._idle:
                self._idle.pop().send(number, 0.0)
            else:
                self._due.append((number, time.monotonic()))
        self._all_due = True
        while self._idle:
            self._idle.pop().quit()


def _share(order: Order, index: int) -> Tally:
    """The work of one process."""
    parts = order.processes
    connections = order.connections // parts + (index < order.connections % parts)

    async def work() -> Tally:
        return await Injector(order, index, parts).run(connections)

    return uvloop.run(work())


def inject(order: Order) -> Tally:
    """Send, and return when everything is answered. Processes of its own do the work, so that the
    caller's memory and loop stay out of it."""
    if order.connections < order.processes:
        raise ValueError("fewer connections than processes")
    order = msgspec.structs.replace(order, run=order.run or secrets.token_hex(6))
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(order.processes, mp_context=fresh) as pool:
        shares = [pool.submit(_share, order, index) for index in range(order.processes)]
        return together([share.result() for share in shares])


def main() -> int:
    parser = argparse.ArgumentParser(prog="inject", description=__doc__)
    parser.add_argument("target", help="HOST:PORT")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0.0, help="in place of --messages")
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--size", type=int, default=4096, help="octets of a message")
    parser.add_argument("--each", action="store_true", help="one connection per message")
    parser.add_argument("--campaign", action="store_true", help="MailWizz's campaign headers")
    parser.add_argument("--login", help="USER:PASSWORD, sent with AUTH PLAIN")
    parser.add_argument("--ca", default="", help="STARTTLS, trusting this PEM file")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second, open loop")
    parser.add_argument("--untimed", action="store_true", help="keep no latencies: saves memory")
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    if not (host and port.isdigit()):
        parser.error(f"{options.target!r} is not HOST:PORT")
    if options.ca and not Path(options.ca).is_file():
        parser.error(f"--ca: no file {options.ca}")
    if not 1 <= options.processes <= options.connections:
        parser.error("--processes: from 1 to the number of connections")
    user, colon, password = (options.login or "").partition(":")
    if options.login and not colon:
        parser.error("--login is USER:PASSWORD")
    order = Order(
        host=host, port=int(port), messages=options.messages, seconds=options.seconds,
        connections=options.connections, processes=options.processes, size=options.size,
        kept=not options.each, campaign=options.campaign, ca=options.ca, rate=options.rate,
        login=(user, password) if options.login else None,
        timed=not options.untimed,
    )  # fmt: skip
    tally = inject(order)
    latencies = sorted(tally.latencies)
    said = {
        "accepted": tally.accepted, "deferred": tally.deferred, "refused": tally.refused,
        "lost": tally.lost, "started": tally.started, "ended": tally.ended,
        "rate": round(tally.rate, 1), "cpu": round(tally.cpu, 3),
        "p50_ms": round(1000 * latencies[len(latencies) // 2], 3) if latencies else None,
        "p99_ms": round(1000 * latencies[len(latencies) * 99 // 100], 3) if latencies else None,
        "cores": os.cpu_count(), "trouble": tally.trouble,
    }  # fmt: skip
    print(msgspec.json.encode(said).decode())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
