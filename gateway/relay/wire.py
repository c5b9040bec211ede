"""One session to PowerMTA: our pipelined transaction on a connection that is already open.

Owns: the order of commands, the pairing of replies, the moment of the dot. Not here: opening
(`relay.endpoint`), which session (`relay.pool`), what an outcome means (`policy.outcome`).
Rules: replies are paired with commands by an explicit queue; bytes nobody asked for close the
session. With one recipient MAIL, RCPT and DATA leave in one write (RFC 2920); a 354 after a
refused RCPT closes the session without a dot, for the dot would deliver. Once the dot was
written an outcome is Relayed, Refused, Failed by a definite reply, or Unknown; never a guess.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import cast

import msgspec

from gateway.relay.replies import MalformedReplyError, ReplyParser
from policy.outcome import Failed, Outcome, Scope, Stage, Unknown, classify
from policy.reply import Reply

_SLICE = 262_144


class Parcel(msgspec.Struct, frozen=True):
    """One transaction: command lines with CRLF, and the content as it goes on the wire."""

    message: str
    mail: bytes
    rcpts: tuple[bytes, ...]
    head: bytes
    body: bytes


class Progress(StrEnum):
    """How far a session's transaction has come; decides what a lost connection means."""

    IDLE = "idle"
    ENVELOPE = "envelope"
    CONTENT = "content"
    DOT = "dot"
    OWES = "owes"
    """The client was answered; the reply to the dot may still come."""
    CLOSED = "closed"


def _fits(stage: Stage, reply: Reply) -> bool:
    """Whether this reply can answer that command at all (RFC 5321 section 4.3.2)."""
    wanted = reply.code == 354 if stage is Stage.DATA else reply.code < 300
    return wanted or not reply.positive


class LostError(Exception):
    """The session ended before the replies came."""


class Session(asyncio.Protocol):
    """A logged-in session; one transaction at a time."""

    def __init__(
        self,
        *,
        name: str,
        extensions: frozenset[str],
        max_size: int = 0,
        suppression: re.Pattern[str],
        lost: Callable[["Session"], None],
    ) -> None:
        """`extensions`: upper-case EHLO keywords; `max_size`: octets, as in its SIZE, 0 for no
        limit; `lost` is called once when it ends."""
        self.name = name
        self.extensions = extensions
        self.max_size = max_size
        self.progress = Progress.IDLE
        self.messages = 0
        self.idle_since = 0.0
        self.stale = False
        self.why_lost = ""
        self._suppression = suppression
        self._lost = lost
        self._parser = ReplyParser()
        self._expected: deque[asyncio.Future[Reply]] = deque()
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._reset_first = False
        self._dot_written = False
        self._replies = 0
        self._dot_reply: Reply | None = None

    def __repr__(self) -> str:
        return f"<Session {self.name}: {self.progress}, {self.messages} messages>"

    @property
    def usable(self) -> bool:
        """Open, in step, and owing nothing."""
        transport = self._transport
        return (
            self.progress is Progress.IDLE
            and transport is not None
            and not transport.is_closing()
            and not self._expected
        )

    async def transact(
        self,
        parcel: Parcel,
        *,
        deadline: float,
        fresh: Callable[[], bool],
        late: Callable[[Outcome], None],
    ) -> Outcome:
        """Send one message. `deadline` is loop time; `fresh` says whether the grant is still
        young enough to begin; `late` is told if the dot is answered after Unknown was returned.

        `stale` is True afterwards when the session was dead before it said anything."""
        assert self.usable
        self.messages += 1
        self.stale = self._dot_written = False
        self._replies = 0
        self._dot_reply = None
        if not fresh():
            return Failed("the grant grew old before MAIL", Scope.MESSAGE)
        try:
            async with asyncio.timeout_at(deadline):
                ended = await self._envelope(parcel)
                if ended is not None:
                    return ended
                reply = await self._content(parcel, fresh)
                if reply is None:
                    return Failed(self.why_lost, Scope.MESSAGE)
                self._enter(Progress.IDLE)
                return self._verdict(Stage.DOT, reply)
        except TimeoutError:
            return self._timed_out(late)
        except asyncio.CancelledError:
            self.close("cancelled")
            raise
        except LostError as error:
            if self._dot_written:
                return Unknown(f"{error} after the dot")
            self.stale = self._replies == 0
            return Failed(f"{error} before the dot", Scope.SERVER)

    async def _envelope(self, parcel: Parcel) -> Outcome | None:
        """None when PowerMTA waits for the content."""
        self._enter(Progress.ENVELOPE)
        pipelined = "PIPELINING" in self.extensions
        at_once = pipelined and len(parcel.rcpts) == 1
        commands = [(Stage.MAIL, parcel.mail), *((Stage.RCPT, rcpt) for rcpt in parcel.rcpts)]
        if at_once:
            commands.append((Stage.DATA, b"DATA\r\n"))
        if self._reset_first:
            self._reset_first = False
            reset = await self._command(b"RSET\r\n")
            if not 200 <= reset.code < 300:
                return self._out_of_step(f"RSET answered {reset}")
        replies = await (self._together(commands) if pipelined else self._in_turn(commands))
        if all(reply.code < 300 for _, reply in replies) and replies[-1][0] is not Stage.DATA:
            replies.append((Stage.DATA, await self._command(b"DATA\r\n")))
        if odd := next((f"{s} answered {r}" for s, r in replies if not _fits(s, r)), ""):
            # It may be another command's reply: then none of them can be trusted.
            return self._out_of_step(odd)
        refusal = next(((s, r) for s, r in replies if not r.positive), None)
        last = replies[-1][1]
        if refusal is None:
            return None
        if last.code == 354:
            # RFC 2920 3.1: the server waits for content although the recipient is refused.
            self.close("354 after a refusal")
        else:
            self._reset_first = True
            self._enter(Progress.IDLE)
        return self._verdict(*refusal)

    async def _together(self, commands: list[tuple[Stage, bytes]]) -> list[tuple[Stage, Reply]]:
        waiting = [(stage, self._expect()) for stage, _ in commands]
        self._write(b"".join(line for _, line in commands))
        return [(stage, await future) for stage, future in waiting]

    async def _in_turn(self, commands: list[tuple[Stage, bytes]]) -> list[tuple[Stage, Reply]]:
        replies = []
        for stage, line in commands:
            replies.append((stage, await self._command(line)))
            if not replies[-1][1].positive:
                break
        return replies

    async def _content(self, parcel: Parcel, fresh: Callable[[], bool]) -> Reply | None:
        """Write head, body and dot; the last slice carries the dot. None: it was withheld,
        for it would spend yesterday's grant, and without it nothing is delivered."""
        self._enter(Progress.CONTENT)
        rest = parcel.head + parcel.body + b".\r\n" if len(parcel.body) <= _SLICE else b""
        if not rest:
            self._write(parcel.head)
            whole = memoryview(parcel.body)
            for start in range(0, len(whole), _SLICE):
                await self._writable.wait()
                self._write(whole[start : start + _SLICE])
            await self._writable.wait()
            rest = b".\r\n"
        if not fresh():
            self.close("the grant grew old before the dot")
            return None
        answer = self._expect()
        self._enter(Progress.DOT)
        self._write(rest)
        return await answer

    def _verdict(self, stage: Stage, reply: Reply) -> Outcome:
        if reply.code == 421:
            # RFC 5321 3.8: the server closes; nothing more can be asked here.
            self.close(f"{stage}: {reply}")
        elif not _fits(stage, reply):
            self.close(f"malformed: the dot answered {reply}")
            return Unknown(self.why_lost)
        return classify(stage, reply, self._suppression)

    def _out_of_step(self, why: str) -> Outcome:
        self.close(why)
        return Failed(why, Scope.SERVER)

    def _timed_out(self, late: Callable[[Outcome], None]) -> Outcome:
        if not self._dot_written:
            self.close(f"no reply in time ({self.progress})")
            return Failed(self.why_lost, Scope.SERVER)
        if self._dot_reply is not None:
            # It came in the very moment the time ran out. It is the truth all the same.
            self._enter(Progress.IDLE)
            return self._verdict(Stage.DOT, self._dot_reply)
        self._enter(Progress.OWES)
        try:
            answer = self._expect_again()
        except LostError as error:
            return Unknown(f"{error} after the dot")

        def settle(future: asyncio.Future[Reply]) -> None:
            if future.cancelled() or future.exception() is not None:
                return
            late(self._verdict(Stage.DOT, future.result()))
            self.close("answered late")

        answer.add_done_callback(settle)
        return Unknown("no reply to the dot in time")

    def _expect_again(self) -> asyncio.Future[Reply]:
        """The time-out cancelled the waiter; its place in the queue stays."""
        self._expected.clear()
        return self._expect()

    async def _command(self, line: bytes) -> Reply:
        answer = self._expect()
        self._write(line)
        return await answer

    def _expect(self) -> asyncio.Future[Reply]:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            raise LostError(self.why_lost or "the session was closed")
        self._expected.append(future)
        return future

    def _write(self, data: bytes | memoryview) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise LostError(self.why_lost or "the session was closed")
        self._dot_written = self.progress is Progress.DOT
        transport.write(data)

    def _enter(self, progress: Progress) -> None:
        """The one door between states; a closed session stays closed."""
        if self.progress is not Progress.CLOSED:
            self.progress = progress

    def close(self, why: str) -> None:
        """End the session at once; whatever it owes is lost."""
        self.why_lost = self.why_lost or why
        if self._transport is not None:
            self._transport.abort()
        self._ended()

    def quit(self) -> None:
        """End an idle session politely."""
        if self.usable:
            assert self._transport is not None
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
        self._ended()

    def _ended(self) -> None:
        if self.progress is Progress.CLOSED:
            return
        self.progress = Progress.CLOSED
        self._writable.set()
        error = LostError(self.why_lost or "the session ended")
        while self._expected:
            future = self._expected.popleft()
            if not future.done():
                future.set_exception(error)
                future.exception()
        self._lost(self)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._parser.feed(data)
        except MalformedReplyError as error:
            self.close(f"malformed: {error}")
            return
        for reply in replies:
            if not self._expected:
                self.close(f"unsolicited: {reply}")
                return
            future = self._expected.popleft()
            self._replies += 1
            if self.progress is Progress.DOT:
                self._dot_reply = reply
            if not future.done():
                future.set_result(reply)
        if not self._expected and not self._parser.empty:
            self.close("unsolicited: part of a reply nobody asked for")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.why_lost = self.why_lost or f"connection lost{f': {exc}' if exc else ''}"
        self._ended()
