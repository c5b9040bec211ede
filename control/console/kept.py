"""What takes long to find out, kept for a moment, so that no page waits for it.

Rule: a page waits `WAIT` and then shows what was found before, with its age, or that it is being
looked for; the look goes on and is there for whoever asks next. One look a question goes on at a
time, whoever asks it, and it is not begun again before ten times what the last one took has passed:
a count over a million held rows takes a second or two, and the database has mail to care for.
Looks end with the process: one that outlived its page and its database's pool held both open.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

from control.problem import RefusedError

log = logging.getLogger(__name__)

WAIT = 0.1
"""Seconds a page waits: with what it costs to make, it is there within 0.3."""
EVERY = 1.0
"""Least seconds between two looks."""
TIMES = 10
"""So many times as long as a look took, nobody looks again."""
OLDEST = 120.0
"""Seconds after which what was found is not shown any more."""
MOST = 500
"""Questions whose answers are kept."""


@dataclass(frozen=True)
class Known:
    """What is known of a question."""

    found: Any
    age: float
    """Seconds."""


@dataclass(frozen=True)
class _Entry:
    found: Any
    at: float
    took: float


class Kept:
    """Of one control process."""

    def __init__(self, failed: Callable[[Any], bool] = lambda _: False) -> None:
        """`failed`: whether what was found says that a part is away. How long that took is no
        measure of what a look costs: once it stood on a page for ten times a time-out."""
        self._failed = failed
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._running: dict[Hashable, asyncio.Task[_Entry]] = {}
        self._looks: set[asyncio.Task[_Entry]] = set()
        """All that go on, those of questions that were forgotten meanwhile, too."""
        self._era = 0

    def forget(self) -> None:
        """Something was changed: all is looked for anew."""
        self._entries.clear()
        self._running.clear()
        self._era += 1

    async def close(self) -> None:
        """No look goes on."""
        looks = list(self._looks)
        for task in looks:
            task.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Known | None:
        """None: it is being looked for. Raises what `make` does, where that is quick."""
        entry, now = self._entries.get(key), time.monotonic()
        if entry is not None:
            self._entries.move_to_end(key)
            if now - entry.at < max(EVERY, TIMES * entry.took):
                return Known(entry.found, now - entry.at)
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._look(key, make))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)
            task.add_done_callback(_said)
        await asyncio.wait((task,), timeout=WAIT)
        if task.done() and not task.cancelled():
            return Known(task.result().found, 0.0)
        if entry is None or now - entry.at > OLDEST:
            return None
        return Known(entry.found, now - entry.at)

    async def _look(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> _Entry:
        era, began = self._era, time.monotonic()
        try:
            found = await make()
            ended = time.monotonic()
            entry = _Entry(found, ended, 0.0 if self._failed(found) else ended - began)
            if era == self._era:
                self._entries[key] = entry
                while len(self._entries) > MOST:
                    self._entries.popitem(last=False)
            return entry
        finally:
            if era == self._era:
                del self._running[key]


def _said(task: asyncio.Task[_Entry]) -> None:
    """An error that nobody waited for: the next one who asks meets it again."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, RefusedError):
        log.warning("a look of the console failed: %r", error)
