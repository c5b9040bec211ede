"""A session's place in the event loop: a client that floods leaves the others their turn."""

import asyncio
import os

import pytest

from gateway.envelope import Message
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
