"""One client session: the dialogue as smtp-source leads it, without pipelining.

Rule: a command is sent when the reply to the one before it is whole. Any refusal is counted and
RSET goes before the next message. QUIT ends a session, and its reply is awaited.
Failure: a connection that ends early loses the message it was in; the session does not come back,
and says so to its load.
"""

import asyncio
import base64
import ssl
import time
from enum import IntEnum
from typing import Protocol, cast

from loadtest.injection.tally import Tally


class State(IntEnum):
    """The reply that is awaited."""

    GREETING = 0
    EHLO = 1
    STARTTLS = 2
    AUTH = 3
    IDLE = 4
    MAIL = 5
    RCPT = 6
    DATA = 7
    DOT = 8
    RSET = 9
    QUIT = 10
    CLOSED = 11


class Post(Protocol):
    """The messages, by number."""

    def envelope(self, number: int) -> tuple[bytes, bytes]:
        """The MAIL and RCPT commands."""

    def content(self, number: int) -> bytes:
        """What follows 354, the final dot included."""


class Load(Protocol):
    """Where a session takes work and brings results."""

    @property
    def mail(self) -> Post:
        """What it sends."""

    tally: Tally
    tls: ssl.SSLContext | None
    login: tuple[str, str] | None
    kept: bool
    timed: bool
    """Whether latencies are kept."""

    def next(self, session: "Session") -> tuple[int, float] | None:
        """A number and when it was due (0: now), or None: quit, or wait if `waits`."""

    def waits(self) -> bool:
        """Without work: whether the session stays open for `send`."""

    def over(self) -> None:
        """A session has ended."""


class Session(asyncio.Protocol):
    """One connection. Started by being connected."""

    def __init__(self, load: Load) -> None:
        self.state = State.GREETING
        self._load = load
        self._secured = False
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._number = 0
        self._rcpt = b""
        self._began = 0.0
        self._securing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Session {self.state.name}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        before, self.state = self.state, State.CLOSED
        if State.MAIL <= before <= State.DOT:
            self._load.tally.lost += 1
        if before not in (State.QUIT, State.CLOSED):
            self._load.tally.note(f"connection lost at {before.name}: {exc or 'closed by peer'}")
        self._load.over()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        while data:
            end = data.find(b"\n") + 1
            if not end:
                self._buffer = data
                return
            if data[3:4] != b"-":
                self._reply(data[:3], data[:end])
            data = data[end:]

    def send(self, number: int, due: float) -> None:
        """Begin message `number`; IDLE only."""
        mail, self._rcpt = self._load.mail.envelope(number)
        self._number = number
        now = time.monotonic()
        self._began = due or now
        tally = self._load.tally
        if not tally.started:
            tally.started = now
        self._say(State.MAIL, mail)

    def quit(self) -> None:
        """End in order."""
        self._say(State.QUIT, b"QUIT\r\n")

    def _say(self, state: State, text: bytes) -> None:
        self.state = state
        assert self._transport is not None
        self._transport.write(text)

    def _reply(self, code: bytes, line: bytes) -> None:
        state = self.state
        if state is State.QUIT:
            if self._transport is not None:
                self._transport.close()
        elif code == b"421":
            self._load.tally.note(f"{state.name}: {line!r}")
            if self._transport is not None:
                self._transport.close()
        elif code[:1] not in (b"2", b"3"):
            self._refused(state, code, line)
        elif state is State.MAIL:
            self._say(State.RCPT, self._rcpt)
        elif state is State.RCPT:
            self._say(State.DATA, b"DATA\r\n")
        elif state is State.DATA:
            self._say(State.DOT, self._load.mail.content(self._number))
        elif state is State.DOT:
            tally = self._load.tally
            tally.accepted += 1
            tally.ended = time.monotonic()
            if self._load.timed:
                tally.latencies.append(tally.ended - self._began)
            self._done()
        else:
            self._opening(state)

    def _opening(self, state: State) -> None:
        """The replies before the first message, and RSET's."""
        load = self._load
        match state:
            case State.GREETING:
                self._say(State.EHLO, b"EHLO inject.bench.example\r\n")
            case State.EHLO if load.tls is not None and not self._secured:
                self._say(State.STARTTLS, b"STARTTLS\r\n")
            case State.STARTTLS:
                self._securing = asyncio.get_running_loop().create_task(self._secure())
            case State.EHLO if load.login is not None:
                token = base64.b64encode("\0{}\0{}".format(*load.login).encode())
                self._say(State.AUTH, b"AUTH PLAIN " + token + b"\r\n")
            case _:
                self._ready()

    async def _secure(self) -> None:
        load, transport = self._load, self._transport
        assert transport is not None
        assert load.tls is not None
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, self, load.tls, server_hostname="127.0.0.1"
            )
        except (OSError, ssl.SSLError) as error:
            load.tally.note(f"STARTTLS: {error}")
            transport.close()
            return
        self._transport = secured
        self._secured = True
        self._say(State.EHLO, b"EHLO inject.bench.example\r\n")

    def _refused(self, state: State, code: bytes, line: bytes) -> None:
        tally = self._load.tally
        tally.note(f"{state.name}: {line.decode('utf-8', 'replace').strip()}")
        if state < State.MAIL or state is State.RSET:
            # Nothing can be sent on a session that does not open.
            self.quit()
            return
        if code[:1] == b"4":
            tally.deferred += 1
        else:
            tally.refused += 1
        tally.ended = time.monotonic()
        if state is State.DOT:
            self._done()
        else:
            self._say(State.RSET, b"RSET\r\n")

    def _done(self) -> None:
        if self._load.kept:
            self._ready()
        else:
            self.quit()

    def _ready(self) -> None:
        self.state = State.IDLE
        work = self._load.next(self)
        if work is not None:
            self.send(*work)
        elif not self._load.waits():
            self.quit()
