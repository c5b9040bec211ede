"""A session's place in the event loop: a client that floods leaves the others their turn."""

import asyncio
import os

import pytest

from gateway.envelope import Message
from gateway.linereader import LineReader
from policy.reply import Reply
from settings.model import Gateway
from tests.support.inmemory import Wire, service


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


async def test_a_block_is_bounded_and_what_is_put_back_comes_first() -> None:
    """Asyncio's own buffer is the reader's: this pins what it relies on."""
    lines = LineReader(limit=65_536, loop=asyncio.get_running_loop())
    lines.feed_data(b"a" * 100_000 + b"\r\n")
    first = await lines.block()
    assert len(first) == 65_536
    lines.put_back(first[-10:])
    assert lines.buffered == 100_002 - 65_536 + 10
    assert await lines.line(100_000) == b"a" * (100_000 - 65_536 + 10)
    lines.feed_eof()
    assert await lines.block() == b""
