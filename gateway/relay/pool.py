"""Kept-alive sessions to each PowerMTA server, within a bound.

Owns: who waits for a session, which address is tried, sessions that owe a reply. Not here:
opening (`relay.endpoint`), the transaction (`relay.wire`).
Rules: a server's sessions never exceed its budget, those that owe a reply included, and at most a
quarter of it, or one, may owe; the addresses of one server are alternatives, the last good one
first. PowerMTA's slots are shared with other feeders: a 421 greeting while sessions of ours are
open, or being opened, is the bound of that moment. Who asked waits for those sessions; after
`grow_after` seconds one more is tried, though nobody new asks, and then one a second while there
are slots. What EHLO offered lives as long as its session.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.relay.endpoint import OpenError
from gateway.relay.wire import Progress, Session
from policy.model import Address, Server
from policy.outcome import Asked, Failed, Scope

_SCARCE = 2.0
"""Seconds a session is kept unused while slots are short: other feeders and our own processes, who
cannot know, wait for them."""


class Opener(Protocol):
    """Opens one session (`relay.endpoint.Endpoint`)."""

    async def open(self, address: Address, lost: Callable[[Session], None]) -> Session: ...


class ServerPool:
    """The sessions of one server."""

    def __init__(
        self, server: Server, opener: Opener, *, limit: int, idle: float, late_reply: float,
        max_messages: int, grow_after: float, farewell: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        """`limit`: sessions at a time; `idle`, `late_reply` and `grow_after` in seconds; `farewell`
        is told the server's name and what it said when it ended a session."""
        self.server = server
        self._opener = opener
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self.bound = limit
        """Sessions the server has slots for, as far as we know; at most the limit."""
        self.wanted = False
        """Another process of ours finds no slot."""
        self._grow_after = grow_after
        self._grow_at = 0.0
        self._farewell = farewell
        self.size = 0
        """The smallest SIZE that sessions now open were offered, 0 for no limit."""
        self._last_size = 0
        self._idle_limit = idle
        self._late_reply = late_reply
        self._max_messages = max_messages
        self._idle: deque[Session] = deque()
        self._all: set[Session] = set()
        self._owing: dict[Session, asyncio.TimerHandle] = {}
        self._opening = 0
        self._waiting: deque[asyncio.Future[Session | None]] = deque()
        self._growing: asyncio.TimerHandle | None = None
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
            asked = self._may_open()
            if asked:
                opened = await self._open(deadline, waited=turns > 0)
                if opened is not None:
                    return opened
            handed = await self._queue(deadline, again=asked or turns > 0)
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
        over = len(self._all) > self._limit or session.messages >= self._max_messages
        # Another SIZE than the newest session's: the server's configuration has changed.
        return over or self.closed or session.max_size != self._last_size

    def _may_open(self) -> bool:
        """Whether one more session is tried; with all slots taken, every now and then."""
        count = len(self._all) + self._opening
        if count < self.bound:
            return True
        now = self._loop.time()
        if count >= self._limit or now < self._grow_at:
            return False
        self.bound = count + 1
        self._grow_at = now + self._grow_after
        return True

    def resize(self, server: Server, limit: int) -> None:
        """Follow a new budget; sessions beyond it end as they become idle."""
        self.server = server
        if limit < self.bound or self.bound == self._limit:
            self.bound = limit
        self._limit = limit
        self._trim_owing()
        while self._idle and len(self._all) > limit:
            self._idle.popleft().quit()
        self._wake_one()

    def sweep(self, now: float) -> None:
        """Close what has been idle too long, oldest first; `now` is loop time."""
        patience = self._idle_limit
        if self.wanted or self.bound < self._limit:
            patience = min(patience, _SCARCE)
        while self._idle and now - self._idle[0].idle_since > patience:
            self._idle.popleft().quit()

    def _await_growth(self) -> None:
        """One who waits tries a further slot in time, though nobody new comes to ask for it."""
        if self._growing is None and not self.closed and self.bound < self._limit:
            self._growing = self._loop.call_at(self._grow_at, self._grow)

    def _grow(self) -> None:
        self._growing = None
        if not self._waiting:
            return
        if self._loop.time() < self._grow_at:
            self._await_growth()  # it was put off
            return
        # Who is woken asks `_may_open`, and waits again, at its place, if the answer is no.
        if len(self._all) + self._opening < self._limit:
            self._wake_first()
        else:
            self._grow_at = self._loop.time() + self._grow_after
            self._await_growth()

    def close(self) -> None:
        """No new work; idle sessions end now, busy ones when they are released."""
        self.closed = True
        if self._growing is not None:
            self._growing.cancel()
            self._growing = None
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
        """`again`: was woken for room that a newcomer took, or that was none; keeps its place."""
        waiter: asyncio.Future[Session | None] = self._loop.create_future()
        if again:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        self._await_growth()
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except TimeoutError:
            self._pass_on(waiter)
            why = f"no free session to {self.server.name} in time ({self.bound} in use)"
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

    async def _open(self, deadline: float, *, waited: bool) -> Session | None:
        """None: the server has no slot for one more beside those we have. `waited`: some of the
        time was spent on waiting, which is no fault of the server. Raises OpenError."""
        addresses = self.server.addresses
        self._opening += 1
        try:
            failure: OpenError | None = None
            full = False
            for turn in range(len(addresses)):
                index = (self._first_address + turn) % len(addresses)
                try:
                    async with asyncio.timeout_at(deadline):
                        session = await self._opener.open(addresses[index], self._on_lost)
                except OpenError as error:
                    failure = error
                    full = full or error.failure.full
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
                self._opened(session)
                return session
            # This one is counted among those being opened.
            others = len(self._all) + self._opening - 1
            if full and others:
                self.bound = others
                self._grow_at = self._loop.time() + self._grow_after
                self._trim_owing()
                return None
            assert failure is not None
            raise failure
        finally:
            self._opening -= 1
            self._wake_one()
            if self._waiting:
                self._await_growth()

    def _opened(self, session: Session) -> None:
        self._all.add(session)
        if len(self._all) == self.bound:
            self._grow_at = self._loop.time() + min(self._grow_after, 1.0)
        if session.max_size != self._last_size:
            self._last_size = session.max_size
            while self._idle:
                self._idle.popleft().quit()
        self._measure()

    def _measure(self) -> None:
        self.size = min((s.max_size for s in self._all if s.max_size), default=0)

    def _let_owe(self, session: Session) -> None:
        """Keep a session open for its late reply; the oldest makes room."""
        self._owing[session] = self._loop.call_later(
            self._late_reply, session.close, "gave up waiting for its reply"
        )
        self._trim_owing()

    def _trim_owing(self) -> None:
        # Of the limit, for slots that are short now are no reason to lose a reply; but never all
        # that the server has slots for, or nothing could be sent.
        while len(self._owing) > min(max(1, self._limit // 4), self.bound - 1):
            oldest = next(iter(self._owing))
            oldest.close("gave up waiting for its reply: too many others wait too")

    def _on_lost(self, session: Session) -> None:
        self._all.discard(session)
        if (timer := self._owing.pop(session, None)) is not None:
            timer.cancel()
        if session in self._idle:
            self._idle.remove(session)
        self._measure()
        if session.farewell:
            self._farewell(self.server.name, session.farewell)
        self._wake_one()

    def _wake_one(self) -> None:
        """Room for one more session: the first waiter may open it."""
        if len(self._all) + self._opening >= self.bound:
            return
        self._wake_first()

    def _wake_first(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


def _not_begun(why: str) -> Failed:
    return Failed(why, Scope.MESSAGE, asked=Asked.NOTHING)
