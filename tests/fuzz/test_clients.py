"""Any bytes give replies or a close, in bounded memory, and nothing is relayed that was not a
complete accepted transaction: the listener against a second reading of the same octets."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from gateway.message.message import Message
from policy.reply import Reply
from settings.model import Gateway
from tests.fuzz.budget import budget
from tests.fuzz.reference import LARGEST, LONGEST_CONTENT_LINE, LONGEST_STREAM, read
from tests.support.session.inmemory import Wire, service
from tests.support.session.statuscodes import well_coded

GREETING, MAIL, RCPT, DATA = (
    b"EHLO x\r\n", b"MAIL FROM:<a@acme.test>\r\n", b"RCPT TO:<b@dest.test>\r\n", b"DATA\r\n",
)  # fmt: skip
COMMANDS = [
    GREETING, MAIL, RCPT, DATA, MAIL + RCPT + DATA, b"HELO x\r\n", b"EHLO\r\n", b"RSET\r\n",
    b"NOOP\r\n", b"QUIT\r\n", b"MAIL FROM:<>\r\n", b"MAIL FROM:<c@acme.test> SIZE=10\r\n",
    b"mail from:<a@acme.test> BODY=8BITMIME SMTPUTF8\r\n", b"RCPT TO:<>\r\n", b"DATA x\r\n",
    b"RCPT TO:<d@dest.test> NOTIFY=NEVER\r\n", b"MAIL FROM:<a@acme.test> SIZE=999999\r\n",
    b"VRFY x\r\n", b"HELP\r\n", b"STARTTLS\r\n", b"BDAT 5 LAST\r\n", b"FOO\r\n", b"GET /\r\n",
    b"RCPT TO: <Postmaster>\r\n", b"MAIL\tFROM:  <a@acme.test>\t \r\n", b"NOOP \t\r\n",
    b"FOO\r\n" * 6,
    b"RSET x\r\n", b"\r\n", b"\n", b"NOOP " + b"y" * 2100 + b"\r\n",
]  # fmt: skip
LINES = [
    b"From: a@acme.test\r\n", b"\r\n", b"text\r\n", b"..\r\n", b".x\r\n", b". \r\n", b"..text\r\n",
    b"\n", b"\r", b"\r\r\n", b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b".\r\r\n",
    b".\n", b".", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x0b", MAIL, RCPT, DATA, b"QUIT\r\n",
    b"z" * (LONGEST_CONTENT_LINE - 2) + b"\r\n", b"z" * (LONGEST_CONTENT_LINE - 1) + b"\r\n",
]  # fmt: skip
END = b".\r\n"

contents = st.lists(st.sampled_from(LINES), max_size=8).map(b"".join)
transactions = st.tuples(contents, st.sampled_from([END, b"\r\n" + END])).map(
    lambda parts: MAIL + RCPT + DATA + parts[0] + parts[1]
)
big = st.integers(LARGEST - 12, LARGEST + 12).map(
    lambda size: (
        MAIL + RCPT + DATA + (b"w" * 98 + b"\r\n") * 40 + END
        if size % 5 == 0
        else MAIL + RCPT + DATA + b"w" * (size % 100) + b"\r\n" + (b"w" * 98 + b"\r\n") * 29 + END
    )
)
pieces = st.one_of(
    st.sampled_from(COMMANDS),
    transactions,
    transactions,
    transactions,
    big,
    st.one_of(contents, st.binary(max_size=12)),
)
edits = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(min_size=1, max_size=2)),
    max_size=3,
)


def edited(stream: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """With some octets replaced, put in or left out."""
    for position, left_out, put_in in changes:
        at = position % (len(stream) + 1)
        stream = stream[:at] + put_in + stream[at + left_out :]
    return stream


streams = st.builds(
    edited,
    st.lists(pieces, max_size=10).map(lambda found: GREETING + b"".join(found)),
    st.one_of(st.just([]), edits),
).map(lambda stream: stream[:LONGEST_STREAM])
cuts = st.lists(st.tuples(st.integers(0, LONGEST_STREAM), st.integers(0, 3)), max_size=6)


class Desk:
    """The gateway's side: takes every message, and writes down what it was."""

    def __init__(self) -> None:
        self.handled: list[tuple[bytes, tuple[bytes, ...], bytes]] = []
        self.log = os.memfd_create("log")
        settings = Gateway(
            max_message_size=LARGEST, max_line_length=LONGEST_CONTENT_LINE, memory_budget=20_000
        )
        self.service = service(settings, self.handle, self.log)

    async def handle(self, message: Message) -> Reply:
        recipients = tuple(recipient.address for recipient in message.recipients)
        self.handled.append((message.sender.address, recipients, message.head + message.body))
        await asyncio.sleep(0)
        return Reply(250, "2.0.0", "taken")

    async def talk(self, stream: bytes, where: list[tuple[int, int]]) -> Wire:
        """One conversation, cut as said: (octet, turns of the loop until the next part)."""
        crashes: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: crashes.append(context))
        wire = Wire(self.service)
        start = 0
        for at, turns in sorted(where):
            wire.feed(stream[start:at])
            start = max(start, min(at, len(stream)))
            for _ in range(turns):
                await asyncio.sleep(0)
        wire.feed(stream[start:])
        await wire.end()
        # A message under way ends a turn or two after its transport.
        while self.service.live:
            await asyncio.sleep(0)
        assert not crashes, crashes
        return wire


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """One for all examples: making its authenticator costs a password hash."""
    made = Desk()
    yield made
    os.close(made.log)


def codes(said: bytes) -> list[int]:
    lines = said.split(b"\r\n")
    assert lines.pop() == b"", "the last line has no end"
    assert all(line[:3].isdigit() and line[3:4] in (b" ", b"-") for line in lines), said
    assert all(line.isascii() and line.decode().isprintable() for line in lines), said
    assert all(map(well_coded, (line.decode() for line in lines))), said
    return [int(line[:3]) for line in lines if line[3:4] == b" "]


@budget()
@given(stream=streams, where=cuts)
def test_the_listener_reads_what_the_reference_reads(
    runner: asyncio.Runner, desk: Desk, stream: bytes, where: list[tuple[int, int]]
) -> None:
    desk.handled.clear()
    wire = runner.run(desk.talk(stream, where))
    meant = read(stream)
    assert desk.handled == meant.handled
    assert codes(bytes(wire.said)) == meant.codes
    assert desk.service.memory.used == 0
    assert desk.service.sessions.open == 0
    assert not desk.service.live
    assert wire.most_buffered <= 140_000
    event(f"{min(len(meant.handled), 3)} messages")
    event(f"last reply {meant.codes[-1]}")
