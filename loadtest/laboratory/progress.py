"""What a run is doing, for whoever watches: bars on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Shown:
    """`with Shown() as shown`; on standard error."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[more]}"),
            console=Console(stderr=True),
            disable=not self._live,
        )
        self._tasks: dict[str, int] = {}
        self._said = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def told(self, what: str, done: int, total: int, more: str = "") -> None:
        """`done` of `total` of something."""
        if self._live:
            if what not in self._tasks:
                self._tasks[what] = self._progress.add_task(what, total=total, more=more)
            task = self._progress.tasks[self._tasks[what]]
            self._progress.update(task.id, completed=done, total=total, more=more)
            return
        now = time.monotonic()
        if done >= total or now - self._said > _EVERY:
            self._said = now
            print(f"{what}: {done} of {total} {more}".rstrip(), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line."""
        if self._live:
            self._progress.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)
