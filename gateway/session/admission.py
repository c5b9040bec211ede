"""Bounds of one worker: sessions, and octets of message data in memory.

Rule: slow down before refusing. Near the bound a session's greeting is delayed (the clients are
synchronous: a late greeting is a slower client); a reader without room waits; only beyond that
somebody is told 421 or 452.
"""

import asyncio
from collections import deque
from typing import Final

from gateway.watch import metrics

_CONNECTIONS: Final = metrics.counters(
    "sendgate_connections_total",
    "Client connections by how they began: served, or turned away because all slots were taken.",
    {"result": ("served", "busy")},
)
_MEMORY: Final = metrics.gauge("sendgate_message_memory_bytes", "Octets of message data held now.")


class Sessions:
    """Slots for client sessions."""

    def __init__(self, limit: int, delay: float) -> None:
        """`delay`: the longest a greeting waits for a slot, seconds."""
        self._limit = limit
        self._delay = delay
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.open = 0

    def __repr__(self) -> str:
        return f"<Sessions: {self.open} of {self._limit}, {len(self._waiting)} waiting>"

    def enter_now(self) -> bool:
        """Take a slot, if one is free."""
        free = self.open < self._limit
        self.open += free
        return free

    async def enter(self) -> bool:
        """Take a slot; False when none became free within the delay."""
        if self.enter_now():
            return True
        if len(self._waiting) >= self._limit:
            return False
        slot = asyncio.get_running_loop().create_future()
        self._waiting.append(slot)
        try:
            async with asyncio.timeout(self._delay):
                await slot
        except TimeoutError:
            # A slot handed over in the same moment stays ours.
            return slot.done() and not slot.cancelled()
        return True

    def greeted(self, served: bool) -> None:
        """How a connection began is counted."""
        _CONNECTIONS.labels("served" if served else "busy").inc()

    def leave(self) -> None:
        """Give a slot back, to the session that has waited longest."""
        while self._waiting:
            slot = self._waiting.popleft()
            if not slot.done():
                slot.set_result(None)
                return
        self.open -= 1


class Memory:
    """Octets of message data held at a time, by shares of one message each."""

    def __init__(self, limit: int) -> None:
        """Held at most: `limit` and one message more (see `Share.take`)."""
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._first: Share | None = None
        self.used = 0

    def __repr__(self) -> str:
        return f"<Memory: {self.used} of {self._limit}, {len(self._waiting)} waiting>"

    def gauge(self) -> None:
        """Show how much is used."""
        _MEMORY.set(self.used)

    def share(self) -> "Share":
        return Share(self)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for room in waiting:
            # All of them look again: the first may want more than there is.
            if not room.done():
                room.set_result(None)


class Share:
    """What one message holds."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.held = 0

    def take_now(self, octets: int) -> bool:
        """Hold `octets` more, if there is room."""
        memory = self._memory
        if memory.used + octets > memory._limit:
            return False
        memory.used += octets
        self.held += octets
        return True

    async def take(self, octets: int, patience: float) -> bool:
        """Hold `octets` more, waiting up to `patience` seconds for others to finish.

        The first to wait may exceed the limit: readers that all hold half a message would wait
        for each other otherwise."""
        memory = self._memory
        deadline = 0.0
        while memory.used + octets > memory._limit:
            if memory._first is None:
                memory._first = self
            if memory._first is self:
                break
            loop = asyncio.get_running_loop()
            deadline = deadline or loop.time() + patience
            room: asyncio.Future[None] = loop.create_future()
            memory._waiting.append(room)
            try:
                async with asyncio.timeout_at(deadline):
                    await room
            except TimeoutError:
                return False
        memory.used += octets
        self.held += octets
        return True

    def release(self) -> None:
        """Give all of it back."""
        memory = self._memory
        memory.used -= self.held
        self.held = 0
        if memory._first is self:
            memory._first = None
        if memory._waiting:
            memory._wake()
