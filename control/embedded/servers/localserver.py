"""The life of an embedded server: claim the directory, clear it, start, answer, watch, end.

What differs between Valkey and PostgreSQL is in their own files; the order of these steps, the
bounds on every wait and the texts of failures are here, once.
"""

import asyncio
import logging
import os
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from control.embedded.servers.account import private_directory
from control.embedded.servers.error import EndedEarlyError, LocalPartError
from control.embedded.servers.leftover import Leftover
from control.embedded.servers.lock import DirectoryLock
from control.embedded.servers.ports import RememberedPort, is_free
from control.embedded.servers.process import ChildProcess

log = logging.getLogger(__name__)


class LocalServer(ABC):
    """One supervised server on one data directory and one loopback port."""

    name: ClassVar[str]
    # What the server understands as: finish, write everything, go.
    stop_signal: ClassVar[signal.Signals]

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        start_timeout: float = 30.0,
        stop_timeout: float = 15.0,
    ) -> None:
        """`port` 0 takes the remembered port, or a new one. Timeouts are in seconds."""
        self.data_dir = data_dir.absolute()
        self.start_timeout = start_timeout
        self.stop_timeout = stop_timeout
        self._remembered = RememberedPort(self.data_dir / "port", port)
        self._lock = DirectoryLock(self.data_dir)
        self._port = 0
        self._process: ChildProcess | None = None
        self._stopping = False

    def __repr__(self) -> str:
        state = f"pid {self._process.pid} on port {self._port}" if self._process else "stopped"
        return f"<{type(self).__name__} {self.data_dir}: {state}>"

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect, password included; the same after every restart."""

    @abstractmethod
    def _leftover(self) -> Leftover:
        """How to recognise and end what an earlier supervisor left behind."""

    @abstractmethod
    async def _prepare(self) -> None:
        """Bring the directory into a state the server can start from; runs under the lock."""

    @abstractmethod
    def _configure(self) -> None:
        """Write what the server reads at its start on `self._port`."""

    @abstractmethod
    def _spawn(self, lock: int) -> ChildProcess:
        """Start the server on `self._port`; `lock` goes to it."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether it serves requests yet; raises LocalPartError if it never will."""

    @property
    def pid(self) -> int:
        """The server's pid; an error while it is not running."""
        if self._process is None:
            raise LocalPartError(f"the embedded {self.name} is not running")
        return self._process.pid

    @property
    def port(self) -> int:
        """The port on 127.0.0.1; an error before the first start, which chooses it."""
        if not self._port:
            raise LocalPartError(f"the embedded {self.name} has not been started")
        return self._port

    @property
    def log(self) -> Path:
        """Where the server writes its log."""
        return self.data_dir / f"{self.name.lower()}.log"

    async def start(self) -> None:
        """Start and return when it answers; on failure nothing stays behind, locks included."""
        private_directory(self.data_dir)
        self._lock.acquire()
        try:
            await self._prepare()
            await self._start_on_a_free_port()
        except BaseException:
            self._lock.release()
            raise
        log.info("embedded %s answers on port %d, pid %d", self.name, self._port, self.pid)

    async def stop(self) -> None:
        """End it cleanly, or by force after `stop_timeout`; harmless if it is not running."""
        self._stopping = True
        try:
            if self._process is not None:
                await self._end(self._process)
            self._process = None
            self._lock.release()
        finally:
            self._stopping = False

    async def restart(self) -> None:
        """Stop what is left of it and start again: same data, same URL."""
        await self.stop()
        await self.start()

    async def wait_failed(self) -> str:
        """Return when the server ends without being told to: how, and the end of its log.

        Goes on watching over `restart()`, and never returns for a `stop()`: cancel it then.
        """
        while True:
            process = self._process
            if process and not self._stopping and process.returncode is not None:
                return f"the embedded {self.name} (pid {process.pid}) {process.fate()}"
            await asyncio.sleep(0.05)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _start_on_a_free_port(self) -> None:
        # Between our look at the port and the server's bind somebody else may take it.
        for attempt in range(3):
            # First the left-over, which may be what sits on our remembered port.
            lock = await self._leftover().end(self.stop_timeout)
            try:
                self._port = self._remembered.resolve()
                self._configure()
            except BaseException:
                # Kept, it would be the lock of a server that nobody can end.
                os.close(lock)
                raise
            try:
                await self._wait_answer(self._spawn(lock))
                return
            except EndedEarlyError:
                if attempt == 2 or is_free(self._port):
                    raise

    async def _wait_answer(self, process: ChildProcess) -> None:
        deadline = time.monotonic() + self.start_timeout
        try:
            while True:
                if process.returncode is not None:
                    raise EndedEarlyError(f"the embedded {self.name} {process.fate()}")
                if await self._answers():
                    break
                if time.monotonic() >= deadline:
                    raise LocalPartError(
                        f"the embedded {self.name} did not answer within "
                        f"{self.start_timeout:g} s: {process.fate()}"
                    )
                await asyncio.sleep(0.02)
        except BaseException:
            await self._end(process)
            raise
        self._process = process

    async def _end(self, process: ChildProcess) -> None:
        if process.returncode is None and not await process.end(
            self.stop_signal, self.stop_timeout
        ):
            log.warning(
                "the embedded %s did not end within %g s and was killed",
                self.name,
                self.stop_timeout,
            )
