"""A connection of redis-py's in our own hands: one question, one reply, no more.

Owns: which bytes are the reply to which question. redis-py opens, secures, logs in and asks for
the run id; then this protocol takes the transport over, and gives it back on request. Measured: a
batch of two cost this process 120 us of CPU by redis-py's own way, and costs 32 us so, of which
13 us are a bare round trip by uvloop.
Rule: it has one question under way. Whatever was not asked for, a second reply behind the
first, no reply in time, or a caller who gave up ends it: nothing that comes late can be taken for
another question's reply.
Failure: redis-py's errors, as its own connections raise them; one that is no ResponseError leaves
it ended.
"""

import asyncio
from typing import Any, cast

import hiredis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.exceptions import TimeoutError as NoReplyError

_MORE = object()


class RawConnection:
    """Safe to use from the event loop it was made in only.

    An `asyncio.Protocol` by its methods alone: a class with an interpreted base is not compiled to
    one of fixed fields."""

    def __init__(self, connection: Any) -> None:
        """`connection`: redis-py's, connected, lent to nobody else. Raises redis-py's errors."""
        stream, parser = connection._reader, connection._parser
        # What redis-py has read and nobody asked for would be lost with its buffers, and half of
        # it would be the beginning of our first reply.
        if stream is None or stream.at_eof() or stream._buffer or parser._reader.has_data():
            raise BrokenError("the connection to the ledger is not in step")
        self.connection = connection
        self.run: str = connection.run
        self.ended = False
        self._patience: float = connection.socket_timeout
        self._loop = asyncio.get_running_loop()
        # hiredis's stub wants these two to be functions; exception classes are what it calls.
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=cast(Any, DefaultParser.parse_error),
            notEnoughData=_MORE,
        )
        self._asked: asyncio.Future[bytes] | None = None
        self._due = 0.0
        self._look_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._transport = connection._writer.transport
        self._redis_py = self._transport.get_protocol()
        self._transport.set_protocol(self)

    def __repr__(self) -> str:
        state = "ended" if self.ended else "busy" if self._asked else "idle"
        return f"<RawConnection to {self.run or 'an unknown process'}: {state}>"

    async def ask(self, command: bytes, within: float) -> bytes:
        """The reply to one packed command that is answered by a string. `within`: seconds, at
        most the connection's own time-out. Raises redis-py's errors."""
        if self.ended or self._transport.is_closing():
            broken = BrokenError("the connection to the ledger broke")
            self._end(broken)
            raise broken
        if self._asked is not None:
            raise RuntimeError("a connection was asked twice")
        if within <= 0:
            raise NoReplyError("no time left to ask the ledger")
        self._watch(min(within, self._patience))
        asked: asyncio.Future[bytes] = self._loop.create_future()
        self._asked = asked
        try:
            try:
                self._transport.write(command)
            except RuntimeError as error:
                # uvloop's word for a transport that was reset a moment ago.
                raise BrokenError(str(error)) from error
            return await asked
        finally:
            if self._asked is asked:
                self._end(BrokenError("nobody waits for the reply"))

    def _watch(self, seconds: float) -> None:
        # One timer for many questions: asyncio.timeout() costs 6 us for each.
        self._due = self._loop.time() + seconds
        if self._timer is None or self._due < self._look_at:
            self._look_again()

    def _look_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = self._due
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._asked is None:
            return  # the next question sets it again
        if self._loop.time() < self._due:
            self._look_again()
        else:
            self._end(NoReplyError(f"no reply from {self.connection!r}"))

    def give_back(self) -> bool:
        """Hand the transport back to redis-py; False when there is nothing left to hand back."""
        if self._asked is not None:
            self._end(BrokenError("nobody waits for the reply"))
        if self.ended or self._transport.is_closing():
            return False
        self._stop()
        self._transport.set_protocol(self._redis_py)
        return True

    def hang_up(self, why: str) -> None:
        """End it. Whoever waits for a reply hears why."""
        self._end(BrokenError(why))

    def data_received(self, data: bytes) -> None:
        asked = self._asked
        if self.ended:
            return
        if asked is None:
            self._end(BrokenError("the ledger spoke without being asked"))
            return
        reader = self._reader
        reader.feed(data)
        try:
            reply = reader.gets()
        except InvalidResponse as error:
            self._end(error)
            return
        if reply is _MORE:
            return
        if reader.has_data():
            self._end(BrokenError("the ledger said more than it was asked"))
        elif isinstance(reply, bytes):
            self._asked = None
            if not asked.done():
                asked.set_result(reply)
        elif isinstance(reply, ResponseError):
            self._asked = None
            if not asked.done():
                asked.set_exception(reply)
        elif isinstance(reply, RedisError):
            # A server that is loading, or does not know us: redis-py hangs up on these, too.
            self._end(reply)
        else:
            self._end(InvalidResponse("the ledger's reply is no string"))

    def pause_writing(self) -> None:
        """One question at a time is all that is ever written."""

    def resume_writing(self) -> None:
        """As above."""

    def eof_received(self) -> None:
        self._end(BrokenError("the ledger closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(BrokenError(f"the connection to the ledger broke: {exc or 'closed'}"))
        # Whoever closes redis-py's side waits for this.
        self._redis_py.connection_lost(exc)

    def _end(self, error: RedisError) -> None:
        if self.ended:
            return
        self._stop()
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            asked.set_exception(error)
        # At once: what is still in its buffer was given up.
        self._transport.abort()

    def _stop(self) -> None:
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
