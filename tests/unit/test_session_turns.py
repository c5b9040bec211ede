"""A session's place in the event loop: a client that floods leaves the others their turn, what a
task has is left to it, and what has ended stays ended."""

import asyncio
import os
import ssl
from collections.abc import Iterator

import pytest

from gateway.message.message import Message
from policy.reply import Reply
from settings.model import Gateway
from tests.support.session.inmemory import Wire, service


async def refuse(message: Message) -> Reply:
    return Reply(550, "5.7.1", "no")


@pytest.mark.parametrize("command", [b"NOOP\r\n", b"EHLO x\r\n", b"RCPT TO:<b@dest.test>\r\n"])
async def test_a_flood_of_commands_is_answered_a_part_at_a_time(command: bytes) -> None:
    log = os.memfd_create("log")
    shared = service(Gateway(), refuse, log)
    wire = Wire(shared)
    wire.feed(command * (120_000 // len(command)))
    turns = []
    before = 0
    while len(turns) < 50:
        await asyncio.sleep(0)
        turns.append(len(wire.said) - before)
        before = len(wire.said)
    await wire.end()
    assert wire.said.count(b"\r\n") > 120_000 // len(command)
    assert max(turns) < 100_000, turns
    os.close(log)


HELLO = b"EHLO x\r\n"
ENVELOPE = b"MAIL FROM:<a@acme.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n"
CONTENT = b"From: a@acme.test\r\n\r\nhello\r\n.\r\n"


@pytest.fixture
def log() -> Iterator[int]:
    descriptor = os.memfd_create("log")
    yield descriptor
    os.close(descriptor)


class Handled:
    """Takes messages, and answers when it is told to."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.answer = asyncio.Event()

    async def __call__(self, message: Message) -> Reply:
        self.messages.append(message)
        await self.answer.wait()
        return Reply(250, "2.0.0", "OK")


async def turns(number: int = 10) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_login_that_is_the_last_command_of_a_turn_keeps_the_session(log: int) -> None:
    shared = service(Gateway(plain_auth_networks=("127.0.0.0/8",)), refuse, log)
    wire = Wire(shared)
    wire.feed(HELLO)
    wire.feed(b"NOOP\r\n" * 99 + b"AUTH LOGIN\r\n")
    await turns()
    wire.feed(b"*\r\n")
    await turns()
    assert wire.said.endswith(b"501 5.7.0 login cancelled\r\n"), bytes(wire.said[-80:])
    await wire.end()


async def test_a_client_that_never_read_leaves_its_slot_when_it_goes(log: int) -> None:
    handled = Handled()
    shared = service(Gateway(), handled, log)
    wire = Wire(shared)
    wire.feed(HELLO + ENVELOPE + CONTENT)
    wire.session.pause_writing()
    await turns()
    wire.abort()
    await wire.over
    handled.answer.set()
    await turns()
    assert shared.sessions.open == 0
    assert not shared.live


@pytest.mark.parametrize("last", [b"QUIT\r\n", b"GET / HTTP/1.1\r\n", b"BDAT 100 LAST\r\n"])
async def test_nothing_is_done_behind_the_last_command(log: int, last: bytes) -> None:
    handled = Handled()
    shared = service(Gateway(), handled, log)
    wire = Wire(shared)
    wire.feed(HELLO + last + ENVELOPE + CONTENT)
    # TLS says so after we have closed: the client's own end comes with its close_notify.
    wire.session.eof_received()
    await turns()
    assert handled.messages == []
    assert shared.memory.used == 0
    await wire.over
    assert shared.sessions.open == 0


async def test_a_message_that_waits_for_room_when_its_client_goes_is_not_sent(log: int) -> None:
    handled = Handled()
    shared = service(Gateway(), handled, log)
    other, share = shared.memory.share(), shared.memory.share()
    assert share.take_now(shared.settings.memory_budget)
    assert await other.take(1, 1.0)
    wire = Wire(shared)
    wire.feed(HELLO + ENVELOPE + CONTENT)
    await turns()
    wire.session.cut()
    await wire.over
    share.release()
    await turns()
    other.release()
    assert handled.messages == []
    assert shared.memory.used == shared.sessions.open == 0


async def test_the_end_of_an_over_long_line_is_no_command(log: int) -> None:
    shared = service(Gateway(), refuse, log)
    wire = Wire(shared)
    wire.feed(b"x" * 20_000)
    before = len(wire.said)
    wire.feed(HELLO)
    assert bytes(wire.said[before:]) == b"500 5.5.2 line too long\r\n"
    wire.feed(b"NOOP\r\n")
    assert wire.said.endswith(b"250 2.0.0 OK\r\n")
    await wire.end()


async def test_a_login_has_its_bound_however_its_line_comes(log: int) -> None:
    shared = service(Gateway(plain_auth_networks=("127.0.0.0/8",)), refuse, log)
    wire = Wire(shared)
    wire.feed(HELLO)
    for segments in (
        (b"AUTH PLAIN " + b"A" * 20_000 + b"\r\n",),
        (b"AUTH PLAIN " + b"A" * 20_000, b"\r\n"),
    ):
        before = len(wire.said)
        for segment in segments:
            wire.feed(segment)
        await turns()
        assert bytes(wire.said[before:]) == b"500 5.5.2 line too long\r\n"
    await wire.end()


async def test_a_client_that_waits_for_its_greeting_when_a_drain_begins_is_sent_away(
    log: int,
) -> None:
    shared = service(Gateway(max_sessions=1), refuse, log)
    assert shared.sessions.enter_now()
    wire = Wire(shared)
    await turns()
    shared.close_idle()
    shared.sessions.leave()
    await turns()
    assert wire.said.startswith(b"421 ")
    assert shared.sessions.open == 0
    assert not shared.live


class Above(asyncio.Transport):
    """TLS on top of a wire: what it writes can be read in `said`, and it can be paused."""

    def __init__(self) -> None:
        super().__init__()
        self.said = bytearray()
        self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        pass

    abort = close


async def test_what_comes_with_the_end_of_a_handshake_is_kept_and_pauses_nobody(
    log: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop hands out what follows the handshake before the task that waits for it goes on, and
    the plain transport below must not be paused for it: nobody would have it go on."""
    shared = service(Gateway(), refuse, log)
    shared.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    wire, above, commands = Wire(shared, tls="starttls"), Above(), 40_000

    async def start_tls(plain: object, *_: object, **__: object) -> Above:
        assert plain is wire
        await asyncio.sleep(0)
        for _ in range(4):
            wire.session.data_received(b"NOOP\r\n" * (commands // 4))
        await asyncio.sleep(0)
        return above

    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls)
    wire.feed(b"EHLO x\r\nSTARTTLS\r\nRSET\r\n")
    async with asyncio.timeout(10):
        while above.said.count(b"250 2.0.0 OK\r\n") < commands:
            await asyncio.sleep(0)
    assert wire.said.endswith(b"220 2.0.0 Ready to start TLS\r\n")
    assert bytes(above.said) == b"250 2.0.0 OK\r\n" * commands
    assert wire.reading
    wire.close()
    await wire.over


async def test_a_session_under_tls_that_ended_keeps_nothing_of_its_connection(
    log: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transports have a quarter of a megabyte of buffers, and a client that opens a connection
    for every message has hundreds of them within the seconds after which one is cut off."""
    shared = service(Gateway(), refuse, log)
    shared.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    wire, above = Wire(shared, tls="starttls"), Above()

    async def start_tls(*_: object, **__: object) -> Above:
        return above

    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls)
    wire.feed(b"EHLO x\r\nSTARTTLS\r\n")
    session = wire.session
    async with asyncio.timeout(10):
        while not session.encrypted:
            await asyncio.sleep(0)
        session.data_received(b"QUIT\r\n")
        while session._cut_off is None:
            await asyncio.sleep(0)
    session.connection_lost(None)
    assert (session.below, session.transport, session.lines._transport) == (None, None, None)
    assert session._cut_off.cancelled()


async def test_a_refusal_without_a_status_code_is_passed_on_with_its_class(log: int) -> None:
    """PowerMTA's words may have none; RFC 2034 section 4 asks for one in ours."""

    async def bare(message: Message) -> Reply:
        return Reply(550, "", "no such user")

    wire = Wire(service(Gateway(), bare, log))
    wire.feed(HELLO + ENVELOPE + CONTENT)
    await wire.end()
    assert wire.said.endswith(b"\r\n550 5.0.0 no such user\r\n")
