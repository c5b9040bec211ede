"""One session to PowerMTA: our pipelined transaction on a connection that is already open.

Owns: the order of commands, the moment of the dot. Not here: pairing replies (`relay.pipeline`),
opening (`relay.endpoint`), which session (`relay.pool`), what an outcome means (`policy.outcome`).
Rules: with one recipient MAIL, RCPT and DATA leave in one write (RFC 2920); a 354 after a
refused RCPT closes the session without a dot, for the dot would deliver. With several, DATA waits
for every RCPT; are some accepted and some not, it waits until who sends the message has kept those
that do not go with it (`divided`), and never leaves where he cannot. Once the dot was
written an outcome is Relayed, Refused, Failed by a definite reply, or Unknown; never a guess.
Replies are acted on where they arrive, without a task in between: one future a transaction,
one timer a session (measured: a future and an `asyncio.timeout` a reply cost three times as much).
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from gateway.relay.parcel import Parcel
from gateway.relay.pipeline import Pipeline
from gateway.relay.verdicts import Divided, for_all, verdict
from policy.outcome import Asked, Failed, Outcome, Scope, Stage, Unknown, classify
from policy.reply import Reply

_SLICE = 262_144


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


class Session(Pipeline):
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
        super().__init__()
        self.name = name
        self.extensions = extensions
        self.max_size = max_size
        self.progress = Progress.IDLE
        self.messages = 0
        self.idle_since = 0.0
        self.stale = False
        self._pipelined = "PIPELINING" in extensions
        self._suppression = suppression
        self._lost = lost
        self._reset_first = False
        # The transaction under way.
        self._outcome: asyncio.Future[Outcome] | None = None
        self._parcel = _NOTHING
        self._fresh: Callable[[], bool] = bool
        self._late: Callable[[Outcome], None] | None = None
        self._divided: Divided | None = None
        self._divides_once = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        self._unsent: deque[tuple[Stage, bytes]] = deque()
        self._rest = memoryview(b"")
        self._dot_written = False

    def __repr__(self) -> str:
        return f"<Session {self.name}: {self.progress}, {self.messages} messages>"

    @property
    def usable(self) -> bool:
        """Open, in step, and owing nothing."""
        return self.progress is Progress.IDLE and self._silent

    async def transact(
        self,
        parcel: Parcel,
        *,
        deadline: float,
        fresh: Callable[[], bool],
        late: Callable[[Outcome], None],
        divided: Divided | None = None,
    ) -> Outcome:
        """Send one message. `deadline` is loop time; `fresh` says whether the grant is still
        young enough to begin; `late` is told if the dot is answered after Unknown was returned.
        `divided` is asked before DATA when some recipients were accepted and some not: the outcome
        is then that of the accepted ones. Without it a refusal of any answers for all.

        `stale` is True afterwards when the session was dead before it said anything, or ended
        with a 421 before the dot: another one may take the message."""
        assert self.usable
        self.messages += 1
        self.stale = self._dot_written = self._divides_once = False
        self._heard = 0
        if not fresh():
            return Failed("the grant grew old before MAIL", Scope.MESSAGE, asked=Asked.NOTHING)
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._outcome = outcome
        self._parcel, self._fresh, self._late, self._divided = parcel, fresh, late, divided
        self._deadline = deadline
        if self._timer is None or deadline < self._look_at:
            self._look_again()
        self._begin()
        try:
            return await outcome
        except asyncio.CancelledError:
            self.close("cancelled")
            raise

    # The envelope

    def _begin(self) -> None:
        self._enter(Progress.ENVELOPE)
        self._replies = []
        if self._reset_first:
            self._expected.append(None)
            self._say(b"RSET\r\n")
        else:
            self._open()

    def _open(self) -> None:
        parcel = self._parcel
        if self._pipelined and len(parcel.rcpts) == 1:
            self._expected += _AT_ONCE
            self._say(parcel.mail + parcel.rcpts[0] + b"DATA\r\n")
            return
        self._unsent.append((Stage.MAIL, parcel.mail))
        self._unsent.extend((Stage.RCPT, line) for line in parcel.rcpts)
        self._speak()

    def _speak(self) -> None:
        """The next command, or all that wait where the server takes them together."""
        lines: list[bytes] = []
        while self._unsent and (self._pipelined or not lines):
            stage, line = self._unsent.popleft()
            self._expected.append(stage)
            lines.append(line)
        self._say(b"".join(lines))

    def _envelope_answered(self, stage: Stage | None, reply: Reply) -> None:
        """Every command so far has its reply; the last one is `reply` to `stage`."""
        replies = self._replies
        if stage is None:
            self._reset_first = False
            replies.clear()
            if 200 <= reply.code < 300:
                self._open()
            else:
                # Never a verdict about the message behind it (RFC 5321 section 4.1.1.5).
                self.farewell = f"rset: {reply}"
                self.close(self.farewell)
            return
        if self._unsent and (reply.positive or (stage is Stage.RCPT and reply.code != 421)):
            self._speak()
            return
        self._unsent.clear()
        refusals: list[tuple[Stage, Reply]] = []
        for asked, answer in replies:
            assert asked is not None
            if not _fits(asked, answer):
                # It may be another command's reply: then none of them can be trusted.
                self._fail(f"{asked} answered {answer}")
                return
            if not answer.positive:
                refusals.append((asked, answer))
        if not refusals:
            if stage is Stage.DATA:
                self._send_content()
            else:
                self._say_data()
            return
        if len(self._parcel.rcpts) > 1 and self._divides(replies, refusals):
            return
        refusal = for_all(refusals, self._suppression)
        if reply.code == 354:
            # RFC 2920 3.1: the server waits for content although the recipient is refused.
            self._conclude(*refusal, ending="354 after a refusal")
        else:
            self._reset_first = True
            self._conclude(*refusal)

    def _say_data(self) -> None:
        self._replies = []
        self._expected.append(Stage.DATA)
        self._say(b"DATA\r\n")

    def _divides(
        self, replies: list[tuple[Stage | None, Reply]], refusals: list[tuple[Stage, Reply]]
    ) -> bool:
        """Whether only some of the recipients were refused, and somebody keeps those."""
        divided, transaction = self._divided, self._outcome
        rcpts = len(self._parcel.rcpts)
        if divided is None or len(refusals) == rcpts or len(replies) <= rcpts:
            return False
        if any(stage is not Stage.RCPT or answer.code == 421 for stage, answer in refusals):
            return False
        verdicts = tuple([verdict(answer, self._suppression) for _, answer in replies[1:]])

        def go_on(why: str) -> None:
            if transaction is None or self._outcome is not transaction:
                return  # it has its outcome: the time was over, or the session lost
            if why:
                self._reset_first = True
                self._enter(Progress.IDLE)
                self._finish(Failed(why, Scope.MESSAGE, asked=Asked.SESSION))
            else:
                self._say_data()

        self._divides_once = True
        divided(verdicts, go_on)
        return True

    # The content

    def _send_content(self) -> None:
        self._enter(Progress.CONTENT)
        parcel = self._parcel
        if len(parcel.body) <= _SLICE:
            self._send_dot(b"".join((parcel.head, parcel.body, b".\r\n")))
            return
        # Before the head: a transport may take up writing again within this very call.
        self._rest = memoryview(parcel.body)
        self._say(parcel.head)
        self._pour()

    def _pour(self) -> None:
        """As much of a large body as the transport takes; the dot goes with nothing before it."""
        while self._writable and self.progress is Progress.CONTENT:
            if not self._rest:
                self._send_dot(b".\r\n")
                return
            piece, self._rest = self._rest[:_SLICE], self._rest[_SLICE:]
            self._say(piece)

    def _send_dot(self, last: bytes) -> None:
        """The end of the content, unless the grant grew old meanwhile: the dot would spend
        yesterday's quota, and without it nothing is delivered."""
        if not self._fresh():
            why = "the grant grew old before the dot"
            self._finish(Failed(why, Scope.MESSAGE, asked=Asked.SESSION))
            self.close(why)
            return
        self._enter(Progress.DOT)
        self._expected.append(Stage.DOT)
        self._say(last)
        self._dot_written = self.progress is Progress.DOT

    # How it ends

    def _conclude(self, stage: Stage, reply: Reply, ending: str = "") -> None:
        """The outcome is what `reply` says; `ending`: why the session cannot go on, if so."""
        if not _fits(stage, reply):
            ending = f"malformed: the dot answered {reply}"
            verdict: Outcome = Unknown(ending)
        else:
            verdict = classify(stage, reply, self._suppression)
            if reply.code == 421:
                # RFC 5321 3.8: the server closes; nothing more can be asked here.
                ending = ending or f"{stage}: {reply}"
        if self.progress is Progress.OWES:
            assert self._late is not None
            self._late(verdict)
            ending = ending or "answered late"
        self._enter(Progress.IDLE)
        self._finish(verdict)
        if ending:
            self.close(ending)

    def _finish(self, outcome: Outcome) -> None:
        """The transaction has its outcome; it is told once."""
        waiter, self._outcome = self._outcome, None
        self._parcel = _NOTHING
        self._rest = memoryview(b"")
        self._divided = None
        if self.progress is not Progress.OWES:
            # Both know the message: an idle session would keep its content in memory.
            self._fresh, self._late = bool, None
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    def _fail(self, why: str) -> None:
        """Nothing was delivered, and the session cannot go on."""
        self._finish(Failed(why, Scope.SERVER))
        self.close(why)

    def _expire(self) -> None:
        """One timer a session that re-arms itself: cheaper than one a transaction."""
        self._timer = None
        if self._outcome is None:
            return
        if self._loop.time() < self._deadline - 0.001:
            self._look_again()
        elif self._dot_written:
            self._enter(Progress.OWES)
            self._finish(Unknown("no reply to the dot in time"))
        else:
            self._fail(f"no reply in time ({self.progress})")

    def _look_again(self) -> None:
        """A message that waited elsewhere has an earlier deadline than the one before it."""
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._expire)

    def _enter(self, progress: Progress) -> None:
        """The one door between states; a closed session stays closed."""
        if self.progress is not Progress.CLOSED:
            self.progress = progress

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._expected.clear()
        self._unsent.clear()
        why = self.why_lost or "the session ended"
        if self._dot_written:
            self._finish(Unknown(f"{why} after the dot"))
        else:
            # A time-out has told its outcome before it closes: it is no death of age.
            ended = self._heard == 0 or self.farewell != ""
            # What was divided is committed: another session might divide it otherwise.
            self.stale = self._outcome is not None and ended and not self._divides_once
            self._finish(self._lost_before_the_dot(f"{why} before the dot"))
        self._lost(self)

    def _lost_before_the_dot(self, why: str) -> Failed:
        """A kept session that PowerMTA ended says nothing about the server."""
        if self.farewell and self.messages > 1:
            return Failed(why, Scope.MESSAGE, asked=Asked.SESSION)
        return Failed(why, Scope.SERVER)

    def _answered(self, stage: Stage | None, reply: Reply) -> None:
        if self.progress is Progress.CLOSED:
            return
        if stage is Stage.DOT:
            self._conclude(stage, reply)
        else:
            self._envelope_answered(stage, reply)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.progress is Progress.CONTENT:
            self._pour()


_NOTHING = Parcel("", b"", (), b"", b"")
_AT_ONCE = (Stage.MAIL, Stage.RCPT, Stage.DATA)
