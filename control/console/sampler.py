"""One look a second for all who watch, and none while nobody does.

Rule: a viewer costs a wake-up and no query: what it waits for is the next sample, whichever that
is, so that a slow one misses some and nothing queues up for it. A look that takes longer than its
turn is not overtaken by another.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from control.problem import RefusedError

T = TypeVar("T")


class Sampler(Generic[T]):
    """Of one control process. `take` never raises for a part that is away: it says so in what it
    returns."""

    def __init__(self, take: Callable[[], Awaitable[T]], *, every: float, most: int) -> None:
        """`every`: seconds between two looks; `most`: viewers at a time."""
        self._take = take
        self._every = every
        self._most = most
        self._watching = 0
        self._looked = 0
        self._last: tuple[float, T] | None = None
        self._fresh = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._one: asyncio.Task[T] | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Sampler: {self._watching} watching, {self._looked} looks>"

    @property
    def looks(self) -> int:
        """Taken so far."""
        return self._looked

    @property
    def watching(self) -> int:
        """Viewers there are."""
        return self._watching

    async def now(self) -> T:
        """A sample no older than two turns; those who ask at once share a look."""
        if self._last is not None and time.monotonic() - self._last[0] < 2 * self._every:
            return self._last[1]
        if self._one is None or self._one.done():
            self._one = asyncio.create_task(self._look())
        return await asyncio.shield(self._one)

    async def watch(self) -> AsyncIterator[T]:
        """Each sample from now on, for as long as the caller likes, or until `close`. Raises
        RefusedError (503) for one viewer too many."""
        if self._watching >= self._most:
            raise RefusedError(
                f"{self._most} pages watch already (control.console_viewers): reload to see it",
                status=503,
            )
        self._watching += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        task = self._task
        try:
            while not self._closed:
                await self._fresh.wait()
                if task.done() and not self._closed:
                    task.result()
                if self._closed or self._last is None:
                    return
                yield self._last[1]
        finally:
            self._watching -= 1
            if not self._watching:
                await self._rest()

    async def close(self) -> None:
        """Every viewer ends."""
        self._closed = True
        self._fresh.set()
        await self._rest()

    async def _rest(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        mine = self._task
        try:
            while True:
                began = time.monotonic()
                await self._look()
                # Whoever waits now is woken; who comes later waits for the next one.
                fresh, self._fresh = self._fresh, asyncio.Event()
                fresh.set()
                await asyncio.sleep(max(0.0, self._every - (time.monotonic() - began)))
        finally:
            # A look that failed is the end of all who wait for it, with its error.
            if self._task is mine:
                self._task = None
                self._fresh.set()

    async def _look(self) -> T:
        found = await self._take()
        self._looked += 1
        self._last = time.monotonic(), found
        return found
