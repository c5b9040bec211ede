"""A connection to PowerMTA that pairs replies with the commands they answer.

Owns: the transport, the queue of commands whose reply is due. Not here: what is said and what the
replies mean (`relay.wire`).
Rules: replies come in the order of the commands; octets nobody asked for close the connection; the
next command leaves only when all replies asked for are here, so that nothing behind a reply can be
taken for the next one's.
"""

import asyncio
from collections import deque
from typing import cast

from gateway.relay.replies import MalformedReplyError, ReplyParser
from policy.outcome import Stage
from policy.reply import Reply


class Pipeline:
    """What a session speaks through. `None` stands for RSET, which is no stage of a message.

    An `asyncio.Protocol` by its methods alone: a class with an interpreted base is not compiled to
    one of fixed fields."""

    def __init__(self) -> None:
        self.why_lost = ""
        self.farewell = ""
        """PowerMTA's words where it ended the session by itself: 421, or no RSET any more."""
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._expected: deque[Stage | None] = deque()
        self._replies: list[tuple[Stage | None, Reply]] = []
        self._heard = 0
        self._writable = True
        self._loop: asyncio.AbstractEventLoop

    @property
    def _silent(self) -> bool:
        """Open, and owing no reply."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._expected

    def _say(self, data: bytes | memoryview) -> None:
        """Raises nothing: one that is gone ends the session, which says what that means."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self.close(self.why_lost or "the session was closed")
        else:
            transport.write(data)

    def close(self, why: str) -> None:
        """End the connection at once; whatever it owes is lost."""
        self.why_lost = self.why_lost or why
        if self._transport is not None:
            self._transport.abort()
        self._ended()

    def _answered(self, stage: Stage | None, reply: Reply) -> None:
        """All replies asked for are here; this is the last of `_replies`."""
        raise NotImplementedError

    def _ended(self) -> None:
        """The connection is gone; may be called again."""
        raise NotImplementedError

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Asking which loop runs is a system call each time (getpid, in Python 3.11).
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._parser.feed(data)
        except MalformedReplyError as error:
            self.close(f"malformed: {error}")
            return
        expected, paired, odd = self._expected, False, ""
        for reply in replies:
            if not expected:
                odd = f"unsolicited: {reply}"
                if reply.code == 421:
                    self.farewell = str(reply)
                break
            stage = expected.popleft()
            if reply.code == 421 and stage is not Stage.DOT:
                # RFC 5321 3.8: the end of the channel, whatever was asked; nothing was sent yet.
                self.farewell = f"{'rset' if stage is None else stage}: {reply}"
                self.close(self.farewell)
                return
            self._heard += 1
            self._replies.append((stage, reply))
            paired = True
        if expected:
            return
        if not odd and not self._parser.empty:
            odd = "unsolicited: part of a reply nobody asked for"
        # What answers the dot is the truth, whatever comes behind it.
        if paired and (not odd or self._replies[-1][0] is Stage.DOT):
            self._answered(*self._replies[-1])
        if odd:
            self.close(odd)

    def eof_received(self) -> None:
        """Close: who hangs up answers nothing any more."""

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.why_lost = self.why_lost or f"connection lost{f': {exc}' if exc else ''}"
        self._ended()
