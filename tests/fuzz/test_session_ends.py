"""However a session ends, whatever it is in the middle of: its slot, its share of memory and its
place among the living are given back, once, and nothing begins behind its end."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message.message import Message
from gateway.session.listener import SmtpSession
from policy.reply import Reply
from settings.model import Gateway
from tests.fuzz.budget import budget
from tests.support.session.inmemory import Wire, service

MEMORY = 4_000
ENVELOPE = b"MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
TEXT = b"From: a@acme.test\r\n\r\n" + (b"y" * 98 + b"\r\n") * 20
PIECES = [
    b"EHLO x\r\n", b"EHLO x\r\n" + ENVELOPE, ENVELOPE + TEXT, ENVELOPE + TEXT + b".\r\n", TEXT,
    TEXT + b".\r\n" + ENVELOPE, b".\r\n", b"NOOP\r\n" * 100, b"NOOP\r\n" * 99 + b"AUTH LOGIN\r\n",
    b"AUTH LOGIN\r\n", b"AUTH PLAIN !\r\n", b"*\r\n", b"x" * 20_000, b"\r\n", b"QUIT\r\n",
    b"GET /\r\n",
]  # fmt: skip
Happening = Callable[[SmtpSession], object]


def _silence(session: SmtpSession) -> None:
    """The client's time is over."""
    session._deadline = 0.0
    session._tick()


HAPPENINGS: dict[str, Happening] = {
    "nothing": lambda session: None,
    "the client does not read": lambda session: session.pause_writing(),
    "the client reads": lambda session: session.resume_writing(),
    "a half-close": lambda session: session.eof_received(),
    "silence": _silence,
    "a drain": lambda session: session.service.close_idle(),
    "the end of a drain": lambda session: session.service.cut_readers(),
    "a cut": lambda session: session.cut(),
    "a reset": lambda session: session.transport and session.transport.abort(),
}
courses = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(sorted(HAPPENINGS)), st.integers(0, 4)),
    max_size=8,
)


class House:
    """The gateway's side."""

    def __init__(self) -> None:
        self.log = os.memfd_create("log")
        settings = Gateway(
            memory_budget=MEMORY, plain_auth_networks=("127.0.0.0/8",), max_sessions=1
        )
        self.service = service(settings, self.handle, self.log)
        self.wire: Wire
        self.begun_behind_the_end = 0

    def handle(self, message: Message) -> Coroutine[None, None, Reply]:
        """Called when the message is complete, and run a little later."""
        del message
        self.begun_behind_the_end += self.wire.is_closing()
        return self._take()

    async def _take(self) -> Reply:
        for _ in range(3):
            await asyncio.sleep(0)
        return Reply(250, "2.0.0", "taken")

    async def course(self, steps: list[tuple[bytes, str, int]], others: int) -> None:
        """One session; `others`: octets of memory that others have until it is over."""
        crashes: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: crashes.append(context))
        self.service.closing = False
        share = self.service.memory.share()
        # The first to wait would be let through.
        self.service.memory._first = share if others else None
        share.take_now(others)
        self.wire = wire = Wire(self.service)
        session = wire.session
        for piece, happening, turns in steps:
            if wire.is_closing() or session.lines.ended:
                break
            wire.feed(piece)
            if session.transport is not None:
                HAPPENINGS[happening](session)
            for _ in range(turns):
                await asyncio.sleep(0)
        wire.abort()
        await wire.over
        share.release()
        async with asyncio.timeout(5):
            while self.service.live:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not crashes, crashes


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """One for all examples: making its authenticator costs a password hash."""
    made = House()
    yield made
    os.close(made.log)


@budget()
@given(steps=courses, others=st.sampled_from([0, 0, MEMORY - 100, MEMORY]))
def test_a_session_gives_back_what_it_had(
    runner: asyncio.Runner, house: House, steps: list[tuple[bytes, str, int]], others: int
) -> None:
    house.begun_behind_the_end = 0
    runner.run(house.course([(b"EHLO x\r\n", "nothing", 0), *steps], others))
    assert house.service.sessions.open == 0
    assert house.service.memory.used == 0
    assert house.begun_behind_the_end == 0
