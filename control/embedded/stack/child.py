"""A child of the stack: started, heard to say `ready`, watched, started again, ended.

Rule: one child of a name a data directory. A child inherits a lock, so a child that a killed
stack left behind is found and ended before the next one starts.
Failure: a child that dies is started again, ever more slowly if it keeps dying, and each death
is one line on standard error.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from control.embedded.servers.error import LocalPartError
from control.embedded.servers.leftover import Leftover
from control.embedded.servers.process import ChildProcess

BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
HEALTHY = 30.0
"""Seconds of life after which a death counts as the first again."""


class Child:
    """One supervised Python process."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        *,
        directory: Path,
        marker: Path,
        start_timeout: float = 30.0,
        stop_timeout: float = 60.0,
    ) -> None:
        """`arguments` follow the interpreter; `marker` is the one that tells our process from
        others. Times in seconds."""
        self.name = name
        self.ready: dict[str, str] = {}
        """What the ready line said: name to value."""
        self.started: Callable[[], Awaitable[None]] | None = None
        """Called after each later start."""
        self._arguments = arguments
        self._log = directory / f"{name}.log"
        self._leftover = Leftover(
            lock=directory / f"{name}.lock",
            pid_files=(),
            programs=(Path(sys.executable).name,),
            marker=marker,
            ask=signal.SIGTERM,
        )
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._process: ChildProcess | None = None
        self._watch: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Child {self.name}: {self._process or 'not started'}>"

    @property
    def pid(self) -> int:
        """The process id of the child that runs now."""
        assert self._process is not None
        return self._process.pid

    async def clear(self) -> None:
        """End what an earlier stack left behind, so that its ports are free."""
        lock = await self._leftover.end(5.0)
        # Closed again: `start` takes it for its own process.
        os.close(lock)

    async def start(self) -> None:
        """Start it and return when it is ready. Raises LocalPartError."""
        await self._start()
        self._watch = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Ask it to finish (SIGTERM), and kill it when that takes too long."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if not await process.end(signal.SIGTERM, self._stop_timeout):
            warn(f"{self.name} did not end within {self._stop_timeout:g} s and was killed")

    async def _start(self) -> None:
        lock = await self._leftover.end(5.0)
        offset = self._log.stat().st_size if self._log.exists() else 0
        process = ChildProcess(
            [sys.executable, *self._arguments],
            log=self._log,
            lock=lock,
            death_signal=signal.SIGTERM,
        )
        try:
            self.ready = await self._wait_ready(process, offset)
        except BaseException:
            if process.returncode is None:
                await process.end(signal.SIGTERM, 5.0)
            raise
        self._process = process

    async def _wait_ready(self, process: ChildProcess, offset: int) -> dict[str, str]:
        deadline = time.monotonic() + self._start_timeout
        while True:
            ended = process.returncode is not None
            for line in self._new_lines(offset):
                if line.startswith("ready "):
                    words = line.split()[1:]
                    return dict(word.split("=", 1) for word in words if "=" in word)
            if ended:
                raise LocalPartError(f"the {self.name} {process.fate()}")
            if time.monotonic() >= deadline:
                raise LocalPartError(
                    f"the {self.name} was not ready within {self._start_timeout:g} s: "
                    f"{process.fate()}"
                )
            await asyncio.sleep(0.02)

    def _new_lines(self, offset: int) -> list[str]:
        with self._log.open("rb") as file:
            # A long log was put aside at the start: this one begins anew.
            file.seek(offset if offset <= self._log.stat().st_size else 0)
            return file.read().decode("utf-8", "replace").split("\n")[:-1]

    async def _keep(self) -> None:
        deaths = 0
        while True:
            born = time.monotonic()
            while self._process is not None and self._process.returncode is None:
                await asyncio.sleep(0.05)
            assert self._process is not None
            deaths = 0 if time.monotonic() - born > HEALTHY else deaths
            warn(f"the {self.name} {self._process.fate()}")
            while True:
                await asyncio.sleep(BACKOFF[min(deaths, len(BACKOFF) - 1)])
                deaths += 1
                try:
                    await self._start()
                    if self.started is not None:
                        await self.started()
                except Exception as error:  # noqa: BLE001 - said, and tried again
                    warn(f"cannot start the {self.name} again: {error}")
                    continue
                warn(f"the {self.name} runs again, pid {self.pid}")
                break


def warn(text: str) -> None:
    """One line for the person at the terminal."""
    print(f"sendgate: {text}", file=sys.stderr, flush=True)
