"""A client that writes a message in small pieces, as PHP's mailers do, is not kept waiting."""

import asyncio
import base64
import socket
import sys
import time

import pytest

from gateway.session.quickack import acknowledge
from tests.support.gateway.generations import generation
from tests.support.gateway.worker import gateway, settings_for
from tests.support.pmta.standin import StandIn

_PIECES = (b"From: news@acme.test\r\nSubject: x", b"\r\n", b"\r\nBon", b"jour\r\n", b".\r\n")


def _send(port: int, count: int) -> list[float]:
    """Messages over one connection, with Nagle's algorithm as every client has it by default.
    Seconds from the first piece to the reply, for each."""
    took = []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        replies = connection.makefile("rb")

        def ask(line: bytes, code: bytes) -> None:
            if line:
                connection.sendall(line + b"\r\n")
            while (reply := replies.readline())[3:4] == b"-":
                pass
            assert reply.startswith(code), reply

        ask(b"", b"220")
        ask(b"EHLO client.test", b"250")
        ask(b"AUTH PLAIN " + base64.b64encode(b"\0acme\0secret"), b"235")
        for number in range(count):
            ask(b"MAIL FROM:<news@acme.test>", b"250")
            ask(b"RCPT TO:<you%d@dest.test>" % number, b"250")
            ask(b"DATA", b"354")
            started = time.monotonic()
            for piece in _PIECES:
                connection.sendall(piece)
            ask(b"", b"250")
            took.append(time.monotonic() - started)
    return took


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has TCP_QUICKACK")
async def test_pieces_of_a_message_do_not_wait_for_a_delayed_acknowledgement(
    valkey_url: str,
) -> None:
    async with (
        StandIn.start() as pmta,
        gateway(settings_for(valkey_url), generation(port=pmta.smtp_port)) as gate,
    ):
        took = await asyncio.to_thread(_send, gate.port, 16)
        # The kernel itself is quick on a fresh connection; later, and without us, each message
        # takes 40 ms at least. The quickest one does not depend on how busy the machine is.
        assert min(took[6:]) < 0.035, took


async def test_nothing_is_asked_of_a_connection_that_is_gone() -> None:
    acknowledge(None)
    acknowledge(asyncio.Transport())
