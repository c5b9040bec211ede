"""One SMTP connection: bytes in any slices, replies in as few writes as pipelining allows.

Rule: everything a read brings is answered by one write. Where an answer has to wait, the bytes
behind it wait in the buffer too, so replies keep the order of their commands.
"""

import asyncio
import ssl
from typing import Protocol, cast

from loadtest.pmta.dialogue import Answer, Dialogue, Offer, Then
from loadtest.pmta.intake import Intake
from loadtest.pmta.peer import Peer

LONGEST_COMMAND = 12_288
"""Bytes; AUTH lines are the longest (RFC 4954 4.3)."""
END = b"\r\n.\r\n"
TOO_LONG = b"500 5.5.6 line too long\r\n"
# A client that sends on while its answer waits is held back by TCP from here on.
MOST_WAITING = 1 << 20


class Registry(Protocol):
    """Who counts the sessions and greets them."""

    def opened(self, session: "Session") -> Answer:
        """The greeting for a new session."""

    def closed(self, session: "Session") -> None:
        """`session` is gone."""


class Session(asyncio.Protocol):
    """The protocol object of one connection."""

    def __init__(
        self, intake: Intake, offer: Offer, registry: Registry, tls: ssl.SSLContext | None
    ) -> None:
        self._intake = intake
        self._offer = offer
        self._registry = registry
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._scanned = 0
        self._suspended = False
        self._greeting_owed = False
        self._handshake: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        # uvloop's transports do not descend from asyncio's: asserting the type would refuse all.
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        self.peer = Peer(*(a[0] if isinstance(a, tuple) else "127.0.0.1" for a in (peer, local)))
        self._dialogue = Dialogue(self._intake, self._offer, self.peer)
        self._greeting = self._registry.opened(self)
        if self._intake.faults.freeze:
            self._greeting_owed = True
            transport.pause_reading()
        else:
            self._say([], self._greeting)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client, or we, have closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._suspended = True
        self._registry.closed(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._buffer += data
        if self._suspended or self._intake.faults.freeze:
            if len(self._buffer) > MOST_WAITING:
                self._transport.pause_reading()
            return
        self._process()

    def freeze(self) -> None:
        """Stop reading: what the client sends stays in the kernel's buffers."""
        self._transport.pause_reading()

    def thaw(self) -> None:
        """Go on where `freeze` stopped."""
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        if self._greeting_owed:
            self._greeting_owed = False
            self._say([], self._greeting)
        elif not self._suspended:
            self._process()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _process(self) -> None:
        out: list[bytes] = []
        position = 0
        dialogue, buffer = self._dialogue, self._buffer
        while True:
            if dialogue.reading_data:
                end = self._end_of_data(position)
                if end < 0:
                    break
                raw = _unstuffed(bytes(buffer[position : end - 3]))
                position, self._scanned = end, 0
                answer = dialogue.dot(raw)
            else:
                end = buffer.find(b"\r\n", position, position + LONGEST_COMMAND)
                if end < 0:
                    if len(buffer) - position > LONGEST_COMMAND:
                        answer = Answer(TOO_LONG, Then.CLOSE)
                        self._suspend_with(out, answer, len(buffer))
                        return
                    break
                answer = dialogue.command(bytes(buffer[position:end]))
                position = end + 2
            if isinstance(answer, bytes):
                out.append(answer)
            elif answer.then is Then.GO_ON and not answer.delay:
                out.append(answer.reply)
            else:
                self._suspend_with(out, answer, position)
                return
        del buffer[:position]
        if self._scanned:
            self._scanned -= position
        if out:
            self._say(out, None)

    def _end_of_data(self, start: int) -> int:
        """The offset behind the final dot of a body at `start`, -1 while it has not come.

        Only CRLF.CRLF ends it (RFC 5321 4.1.1.4): bare LFs are content, or mail is smuggled.
        """
        buffer = self._buffer
        if buffer.startswith(b".\r\n", start):
            return start + 3
        found = buffer.find(END, max(start, self._scanned - 4))
        if found < 0:
            self._scanned = len(buffer)
            return -1
        return found + 5

    def _suspend_with(self, out: list[bytes], answer: Answer, position: int) -> None:
        del self._buffer[:position]
        self._scanned = 0
        if answer.delay:
            if out:
                self._write(b"".join(out))
            self._suspended = True
            self._timer = self._loop.call_later(answer.delay, self._late, answer)
            return
        self._say(out, answer)

    def _late(self, answer: Answer) -> None:
        if self._intake.faults.freeze:
            # A stopped process fires no timers; look again until it is thawed.
            self._timer = self._loop.call_later(0.01, self._late, answer)
            return
        self._finish(answer.reply, answer.then)

    def _say(self, out: list[bytes], answer: Answer | None) -> None:
        then = Then.GO_ON
        if answer is not None:
            out.append(answer.reply)
            then = answer.then
        said = b"".join(out)
        if delay := self._intake.faults.reply_delay:
            self._suspended = True
            self._timer = self._loop.call_later(delay, self._late, Answer(said, then))
        elif then is Then.GO_ON:
            self._write(said)
        else:
            self._suspended = True
            self._finish(said, then)

    def _finish(self, said: bytes, then: Then) -> None:
        self._timer = None
        if self._transport.is_closing():
            return
        if said:
            self._write(said)
        if then is Then.CLOSE:
            self._transport.close()
        elif then is Then.TLS:
            self._handshake = self._loop.create_task(self._start_tls())
        elif then is Then.GO_ON:
            self._suspended = False
            self._transport.resume_reading()
            self._process()

    def _write(self, said: bytes) -> None:
        self._intake.settle()
        self._transport.write(said)

    async def _start_tls(self) -> None:
        assert self._tls is not None
        # RFC 3207 4.2: what came in clear behind STARTTLS is not the client's word.
        self._buffer.clear()
        try:
            transport = await self._loop.start_tls(
                self._transport, self, self._tls, server_side=True
            )
        except (OSError, ssl.SSLError):
            self._transport.abort()
            return
        if transport is None:
            return
        self._transport = transport
        self._dialogue.secured()
        self._suspended = False
        if self._intake.faults.freeze:
            transport.pause_reading()
        else:
            self._process()


def _unstuffed(body: bytes) -> bytes:
    if body.startswith(b"."):
        body = body[1:]
    return body.replace(b"\r\n.", b"\r\n") if b"\r\n." in body else body
