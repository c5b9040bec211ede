"""Whose turn it is in one client session: lines and content in, replies out, one thing at a time.

Owns: when input is looked at, what has to be waited for, patience, the end. Not here: what a
command means (`gateway.session.listener`), MAIL, RCPT and content (`gateway.session.inbound`).
Rules: input is acted on where it arrives; only what has to wait (a message on its way, a login, a
handshake, room in memory) gets a task, and while it runs input only gathers, in bounded memory.
Replies to pipelined commands leave together. A message under way is finished and settled even if
the client hangs up. A flood of commands leaves the other sessions their turn.
"""

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.session.dialogue import BUFFER, LONGEST_AUTH, Dialogue, OverError
from gateway.session.inbound import ContentLostError
from gateway.session.linereader import LineFault
from gateway.session.quickack import acknowledge
from gateway.session.service import Service
from policy import reply
from policy.reply import Reply

_TURN = 100
"""Commands answered before the other sessions have their turn."""
_LINGER = 5.0


class Conversation(Dialogue):
    """The course of one connection."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._occupied = False
        """A task has the session, or a later turn of the loop."""
        self._clogged = False
        """The client does not read what we say."""
        self._then: Callable[[Any], None] | None = None
        self._over = self._entered = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._cut_off: asyncio.TimerHandle | None = None

    # Input

    def data_received(self, data: bytes) -> None:
        lines = self.lines
        if not self._occupied and not self._clogged and len(data) <= BUFFER:
            if self.inbound.receiving:
                if lines.idle:
                    self._turn(self._content, data)
                    return
            elif (line := lines.lone(data, LONGEST_AUTH)) is not None:
                self._turn(self._command, line)
                return
        lines.feed_data(data)
        if not self._occupied:
            self._turn()

    def eof_received(self) -> bool | None:
        self.lines.feed_eof()
        if not self._occupied:
            self._turn()
        # Half-closed connections stay writable, for the reply to a message under way.
        return not self.secured

    def connection_lost(self, error: Exception | None) -> None:
        """What has the session goes on to its end: a message is settled whatever happens."""
        if self._cut_off is not None:
            self._cut_off.cancel()
        if error is None:
            self.lines.feed_eof()
        else:
            self.lines.set_exception(error)
        # TLS has a quarter of a megabyte of buffers, which live while anybody knows its transports.
        self.lines.attach(None)
        self.below = self.transport = None
        self._clogged = False  # nobody says so any more, and the end is a turn like others
        if not self._occupied:
            self._end()

    def pause_writing(self) -> None:
        """A client that sends and never reads gets no more answers into our memory."""
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        if not self._occupied:
            self._turn()

    # Turns

    def _turn(self, first: Callable[[Any], None] | None = None, argument: object = None) -> None:
        """Go on with what is here, after `first`; the one place where a session's errors end."""
        if self._over:
            # TLS hands out what it has after we have closed: none of it is a command any more.
            return
        try:
            if first is not None:
                first(argument)
            if self.lines.idle:
                self.flush()
            else:
                self._converse()
        except OverError:
            self._end()
        except ContentLostError as lost:
            if lost.reply is not None:
                self.say(lost.reply)
            self._end()
        except (ConnectionError, ssl.SSLError) as error:
            self.service.log.debug("session_lost", peer=self.peer, why=repr(error))
            self._end()
        except Exception as error:  # noqa: BLE001
            # A bug costs one session and is told in full.
            self.service.log.error("session_crashed", peer=self.peer, why=repr(error))
            self.say(reply.trouble("internal error"))
            self._end()
            self.loop.call_exception_handler({"message": "a session crashed", "exception": error})

    def _converse(self) -> None:
        """Everything that can be answered now."""
        lines = self.lines
        answered = 0
        while not self._occupied and not self._clogged:
            if self.gone:
                raise OverError
            if self.inbound.receiving:
                if not (block := lines.take_block(BUFFER)):
                    break
                self._content(block)
                continue
            if (line := lines.take(LONGEST_AUTH)) is None:
                break
            self._command(line)
            answered += 1
            if answered == _TURN and not self._occupied:
                self._occupied = True
                self.loop.call_soon(self._next_turn)
        self.flush()
        if lines.ended and not self._occupied and not self._clogged:
            raise OverError

    def _next_turn(self) -> None:
        self._occupied = False
        self._turn()

    def _occupy(self, work: Coroutine[Any, Any, Any], then: Callable[[Any], None]) -> None:
        """Nothing else happens in this session until `work` is done; `then` gets its result."""
        self._occupied = True
        self._then = then
        self.loop.create_task(work).add_done_callback(self._released)

    def _released(self, task: asyncio.Task[Any]) -> None:
        self._occupied = False
        if task.cancelled():
            self._end()
        else:
            self._turn(self._go_on, task)

    def _go_on(self, task: asyncio.Task[Any]) -> None:
        then, self._then = self._then, None  # or it knows itself, and waits for the collector
        assert then is not None
        then(task.result())

    def _command(self, line: bytes | LineFault) -> None:
        self._renew(self.service.settings.command_timeout)
        self._command_line(line)

    @abstractmethod
    def _command_line(self, line: bytes | LineFault) -> None:
        """One line that is no content. Raises OverError."""

    # Content

    def _content(self, block: bytes) -> None:
        """Octets after DATA, the end among them or not. Raises ContentLostError."""
        inbound = self.inbound
        if inbound.has_room(len(block)):
            self._fill(block)
        else:
            self.busy = True
            self._occupy(inbound.wait_for_room(len(block)), lambda _: self._fill_late(block))

    def _fill_late(self, block: bytes) -> None:
        """A client that was cut off meanwhile sends its message again: this one must not go."""
        if self.gone:
            raise OverError
        self._fill(block)

    def _fill(self, block: bytes) -> None:
        inbound = self.inbound
        rest = inbound.fill(block, self.loop.time())
        if rest is None:
            self.busy = False
            self._deadline = inbound.patience
            acknowledge(self.transport)
            return
        self.lines.put_back(rest)
        refusal = inbound.refusal(self.tenant or "", self.peer)
        self.busy = True
        if refusal is not None:
            self._answered(refusal)
            return
        message = inbound.complete(self.tenant or "", self.peer, self.hostname, self.transmission)
        self._occupy(self.service.handle(message), self._answered)

    def _answered(self, answer: Reply) -> None:
        """The message has its fate."""
        self.inbound.done()
        self.busy = False
        self._renew(self.service.settings.command_timeout)
        self.conclude(answer)
        if self.service.closing:
            self.say(reply.SHUTTING_DOWN)
            raise OverError

    @property
    def handling(self) -> bool:
        """A whole message is on its way to PowerMTA."""
        return self.inbound.handling

    # Patience

    def _renew(self, patience: float) -> None:
        self._deadline = self.loop.time() + patience

    def _arm(self) -> None:
        """One timer a session, which looks as often as the shortest time-out is long: setting one
        for every command costs more than it protects."""
        soon = self.loop.time() + self.service.shortest_timeout
        self._timer = self.loop.call_at(min(soon, self._deadline), self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._over or self.transport is None:
            return
        if self.busy:
            self._renew(self.service.shortest_timeout)
        elif self.loop.time() >= self._deadline - 0.001:
            self._dismiss(reply.IDLE)
            return
        self._arm()

    # The end

    def close_if_idle(self) -> None:
        """Drain: between two messages a session ends here."""
        if self.shaking:
            self.cut()
            return
        if not self.busy and self.inbound.sender is None and self.transport is not None:
            self._dismiss(reply.SHUTTING_DOWN)

    def _dismiss(self, answer: Reply) -> None:
        """End from our side; what has the session ends it when it notices."""
        self.say(answer)
        if self._occupied:
            self._hang_up()
        else:
            self._end()

    def cut(self) -> None:
        """End now, whatever is still to be said."""
        for transport in (self.below, self.transport):
            if transport is not None:
                transport.abort()
        # Whoever waits for a line, as a login does, hears it here first.
        self.lines.feed_eof()

    def _end(self) -> None:
        """Once, however it came to it."""
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self.inbound.done()
        if self._entered:
            self.service.sessions.leave()
        self.service.live.discard(self)
        self._hang_up()

    def _hang_up(self) -> None:
        """Say what is left and close; who does not read is cut off soon after. So is TLS, which has
        octets of its own to flush and waits for the client's."""
        self.flush()
        linger = self.unread or self.below is not None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
        if linger and self._cut_off is None:
            self._cut_off = self.loop.call_later(_LINGER, self.cut)
