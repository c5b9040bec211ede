"""Kept-alive sessions to each PowerMTA server, within a bound.

Owns: who waits for a session, which address is tried, sessions that owe a reply. Not here:
opening (`relay.endpoint`), the transaction (`relay.wire`).
Rules: a server's sessions never exceed its budget, those that owe a reply included, and at most
a quarter of it may owe; the addresses of one server are alternatives, the last good one first.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.relay.endpoint import OpenError
from gateway.relay.wire import Progress, Session
from policy.model import Address, Server
from policy.outcome import Asked, Failed, Scope


class Opener(Protocol):
    """Opens one session (`relay.endpoint.Endpoint`)."""

    async def open(self, address: Address, lost: Callable[[Session], None]) -> Session: ...


class ServerPool:
    """The sessions of one server."""

    def __init__(
        self, server: Server, opener: Opener, *, limit: int, idle: float, late_reply: float,
        max_messages: int,
    ) -> None:  # fmt: skip
        """`limit`: sessions at a time; `idle` and `late_reply` in seconds."""
        self.server = server
        self._opener = opener
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._idle_limit = idle
        self._late_reply = late_reply
        self._max_messages = max_messages
        self._idle: deque[Session] = deque()
        self._all: set[Session] = set()
        self._owing: dict[Session, asyncio.TimerHandle] = {}
        self._opening = 0
        self._waiting: deque[asyncio.Future[Session | None]] = deque()
        self._first_address = 0
        self.closed = False

    def __repr__(self) -> str:
        shown = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return f"<Pool {self.server.name}: {shown}>"

    @property
    def counts(self) -> dict[str, int]:
        """Sessions by state, and messages waiting for one."""
        idle, owing = len(self._idle), len(self._owing)
        busy = len(self._all) - idle - owing
        return {"busy": busy, "idle": idle, "owing": owing, "waiting": len(self._waiting)}

    async def acquire(self, deadline: float) -> Session:
        """A usable session before `deadline` (loop time).

        Raises OpenError when none can be opened or none became free in time."""
        turns = 0
        while not self.closed:
            while self._idle:
                session = self._idle.pop()
                if session.usable:
                    return session
            if len(self._all) + self._opening < self._limit:
                return await self._open(deadline, waited=turns > 0)
            handed = await self._queue(deadline, again=turns > 0)
            turns += 1
            if handed is not None and handed.usable:
                return handed
        raise OpenError(_not_begun("the gateway is closing"))

    def release(self, session: Session) -> None:
        """Give a session back after its transaction."""
        if session.progress is Progress.OWES:
            self._let_owe(session)
        elif not session.usable:
            session.close(session.why_lost or "not usable any more")
        elif self._spent(session):
            session.quit()
        else:
            session.idle_since = self._loop.time()
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_result(session)
                    return
            self._idle.append(session)

    def _spent(self, session: Session) -> bool:
        over = len(self._all) > self._limit
        return over or self.closed or session.messages >= self._max_messages

    def resize(self, server: Server, limit: int) -> None:
        """Follow a new budget; sessions beyond it end as they become idle."""
        self.server = server
        self._limit = limit
        self._trim_owing()
        while self._idle and len(self._all) > limit:
            self._idle.popleft().quit()
        self._wake_one()

    def sweep(self, now: float) -> None:
        """Close what has been idle too long, oldest first; `now` is loop time."""
        while self._idle and now - self._idle[0].idle_since > self._idle_limit:
            self._idle.popleft().quit()

    def close(self) -> None:
        """No new work; idle sessions end now, busy ones when they are released."""
        self.closed = True
        while self._idle:
            self._idle.pop().quit()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def abandon(self) -> None:
        """End every session, owed replies included."""
        self.close()
        for session in tuple(self._all):
            session.close("the gateway is closing")

    async def _queue(self, deadline: float, *, again: bool) -> Session | None:
        """`again`: was woken for room that a newcomer took first; keeps its place."""
        waiter: asyncio.Future[Session | None] = self._loop.create_future()
        if again:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except TimeoutError:
            self._pass_on(waiter)
            why = f"no free session to {self.server.name} in time ({self._limit} in use)"
            raise OpenError(_not_begun(why)) from None
        except asyncio.CancelledError:
            self._pass_on(waiter)
            raise

    def _pass_on(self, waiter: asyncio.Future[Session | None]) -> None:
        """What was handed over in the very moment its waiter went away is somebody else's now."""
        if waiter.done() and not waiter.cancelled():
            if (session := waiter.result()) is not None:
                self.release(session)
            else:
                self._wake_one()

    async def _open(self, deadline: float, *, waited: bool) -> Session:
        """`waited`: some of the time was spent on waiting, which is no fault of the server."""
        addresses = self.server.addresses
        self._opening += 1
        try:
            failure: OpenError | None = None
            for turn in range(len(addresses)):
                index = (self._first_address + turn) % len(addresses)
                try:
                    async with asyncio.timeout_at(deadline):
                        session = await self._opener.open(addresses[index], self._on_lost)
                except OpenError as error:
                    failure = error
                    continue
                except TimeoutError:
                    why = f"{addresses[index]}: no session in time"
                    late = Failed(why, Scope.SERVER, asked=Asked.SESSION)
                    failure = OpenError(_not_begun(why) if waited else late)
                    break
                if not session.usable:
                    why = f"{addresses[index]}: the session ended as soon as it was open"
                    failure = OpenError(Failed(why, Scope.SERVER, True, asked=Asked.SESSION))
                    continue
                self._first_address = index
                self._all.add(session)
                return session
            assert failure is not None
            raise failure
        finally:
            self._opening -= 1
            self._wake_one()

    def _let_owe(self, session: Session) -> None:
        """Keep a session open for its late reply; the oldest makes room."""
        self._owing[session] = self._loop.call_later(
            self._late_reply, session.close, "gave up waiting for its reply"
        )
        self._trim_owing()

    def _trim_owing(self) -> None:
        while len(self._owing) > self._limit // 4:
            oldest = next(iter(self._owing))
            oldest.close("gave up waiting for its reply: too many others wait too")

    def _on_lost(self, session: Session) -> None:
        self._all.discard(session)
        if (timer := self._owing.pop(session, None)) is not None:
            timer.cancel()
        if session in self._idle:
            self._idle.remove(session)
        self._wake_one()

    def _wake_one(self) -> None:
        """Room for one more session: the first waiter may open it."""
        if len(self._all) + self._opening >= self._limit:
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


def _not_begun(why: str) -> Failed:
    return Failed(why, Scope.MESSAGE, asked=Asked.NOTHING)
