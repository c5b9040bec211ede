"""Steady load: clients that speak SMTP as MailWizz does, and remember every answer.

Synchronous like MailWizz's workers: one message at a time a connection, some connections kept
alive, some made anew for every message. A client that hears nothing sends a message with a
duplicate key once more, as people and cron jobs do.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec

from tests.faults.mail import SENDER, Mail, mail

PAUSE = 0.1


class Answer(msgspec.Struct, frozen=True):
    """What one try came to; `code` 0: nothing was heard after the dot."""

    code: int
    text: str
    began: float
    ended: float
    """`time.monotonic()`."""


class Offer(msgspec.Struct):
    """A message whose final dot a client has sent, with all its answers."""

    mail: Mail
    answers: list[Answer]

    def _any(self, digit: int) -> bool:
        return any(answer.code // 100 == digit for answer in self.answers)

    @property
    def acknowledged(self) -> bool:
        return self._any(2)

    @property
    def refused(self) -> bool:
        return not self.acknowledged and self._any(5)

    @property
    def deferred(self) -> bool:
        """Told to come back, and never anything better."""
        return not (self.acknowledged or self.refused) and self._any(4)

    @property
    def unheard(self) -> bool:
        return not any(answer.code for answer in self.answers)


class Load:
    """Runs from `start` until `finish`."""

    def __init__(
        self,
        port: int,
        *,
        connections: int = 12,
        rate: float = 120.0,
        patience: float = 10.0,
        repeats: int = 1,
        first: int = 1,
        make: Callable[[int], Mail] = mail,
    ) -> None:
        """`rate`: messages a second in all; `patience`: seconds a client waits for a reply;
        `repeats`: how often a keyed message is sent again that nobody answered."""
        self._port = port
        self._connections = connections
        self._interval = 1 / rate
        self._patience = patience
        self._repeats = repeats
        self._next = first
        self.make = make
        self._slot = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._wires: set[_Wire] = set()
        self._ending = False
        self._last: int | None = None
        self.offers: list[Offer] = []
        self.unsent = 0
        """Tries that ended before their dot: the message was not offered yet."""

    def __repr__(self) -> str:
        return f"<Load: {len(self.offers)} offered, {self.answered} answered>"

    @property
    def answered(self) -> int:
        """Messages with an answer, or without one for good."""
        return sum(bool(offer.answers) for offer in self.offers)

    def start(self) -> None:
        """Until `finish`, however much was sent before."""
        self._last = None
        self._run()

    def _run(self) -> None:
        self._ending = False
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._client(i)) for i in range(self._connections)]

    async def until_offered(self, count: int, patience: float = 60.0) -> None:
        """Wait until so many messages have been offered in all."""
        async with asyncio.timeout(patience):
            while len(self.offers) < count:
                self._raise_dead()
                await asyncio.sleep(0.01)

    async def finish(self, patience: float = 60.0) -> None:
        """No new messages; every client hears the end of the one it has sent."""
        self._ending = True
        done, late = await asyncio.wait(self._tasks, timeout=patience)
        assert not late, f"{len(late)} clients are still waiting after {patience:g} s"
        for task in done:
            task.result()

    async def send(self, count: int, patience: float = 60.0) -> None:
        """Offer `count` messages and no more, as fast as the rate allows."""
        self._last = self._next + count - 1
        self._run()
        done, late = await asyncio.wait(self._tasks, timeout=patience)
        assert not late, f"{self!r} after {patience:g} s"
        for task in done:
            task.result()

    async def abandon(self) -> None:
        """End clients a failed test left behind."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for wire in list(self._wires):
            self._hang_up(wire)

    def _raise_dead(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    def _more(self) -> bool:
        return not self._ending and (self._last is None or self._next <= self._last)

    async def _client(self, index: int) -> None:
        """Odd clients keep their connection, even ones make a new one for every message."""
        wire: _Wire | None = None
        while self._more():
            await self._turn()
            if not self._more():
                break
            offer = Offer(self.make(self._next), [])
            self._next += 1
            for _ in range(1 + (self._repeats if offer.mail.keyed else 0)):
                wire = await self._offer(offer, wire)
                if wire is not None and not index % 2:
                    self._hang_up(wire)
                    wire = None
                if not offer.answers or offer.answers[-1].code:
                    break
        if wire is not None:
            self._hang_up(wire)

    def _hang_up(self, wire: "_Wire") -> None:
        self._wires.discard(wire)
        wire.close()

    async def _turn(self) -> None:
        now = time.monotonic()
        self._slot = max(self._slot + self._interval, now)
        await asyncio.sleep(self._slot - now)

    async def _offer(self, offer: Offer, wire: "_Wire | None") -> "_Wire | None":
        """Until the dot is out; the connection when it can be used again."""
        while True:
            began = time.monotonic()
            sent = False
            try:
                async with asyncio.timeout(self._patience):
                    if wire is None:
                        wire = await _Wire.open(self._port)
                        self._wires.add(wire)
                    answer = await wire.envelope(offer.mail)
                    if answer.startswith("354"):
                        sent = True
                        if not offer.answers:
                            self.offers.append(offer)
                        answer = await wire.content(offer.mail)
                    elif not answer:
                        raise ConnectionResetError
            except (OSError, TimeoutError):
                if wire is not None:
                    self._hang_up(wire)
                    wire = None
                if sent:
                    ended = time.monotonic()
                    offer.answers.append(Answer(0, "", began, ended))
                    return None
                self.unsent += 1
                if self._ending:
                    return None
                await asyncio.sleep(PAUSE)
                continue
            if not sent and not offer.answers:
                self.offers.append(offer)
            offer.answers.append(Answer(int(answer[:3]), answer, began, time.monotonic()))
            if not sent or answer.startswith("421"):
                self._hang_up(wire)
                return None
            return wire


class _Wire:
    """One connection, greeted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "_Wire":
        wire = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            for line in ("", "EHLO mailwizz.test\r\n"):
                wire._writer.write(line.encode())
                if not (await wire._reply()).startswith("2"):
                    raise ConnectionResetError
        except BaseException:
            wire.close()
            raise
        return wire

    async def envelope(self, mail: Mail) -> str:
        """MAIL, RCPT, DATA one by one; the first reply that is not what it should be, or 354."""
        rcpts = [f"RCPT TO:<{recipient}>" for recipient in mail.recipients]
        for command in (f"MAIL FROM:<{SENDER}>", *rcpts, "DATA"):
            self._writer.write(command.encode() + b"\r\n")
            answer = await self._reply()
            if answer[:1] not in "23":
                break
        return answer

    async def content(self, mail: Mail) -> str:
        """The reply to the dot. Raises ConnectionResetError when there is none."""
        self._writer.write(mail.content())
        if not (answer := await self._reply()):
            raise ConnectionResetError
        return answer

    async def _reply(self) -> str:
        while (line := await self._reader.readline())[3:4] == b"-":
            pass
        return line.decode().rstrip() if line.endswith(b"\n") else ""

    def close(self) -> None:
        self._writer.close()
