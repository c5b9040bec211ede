"""The gateway's parent: binds the ports once, keeps the workers running, reloads without a gap.

Owns: listening sockets (workers inherit them, so a dead worker's waiting connections are served
by the others), worker processes, reload on SIGHUP: new workers with the new configuration first,
then the old ones stop accepting and finish their sessions.
Failure: a worker that dies is replaced, ever more slowly if it keeps dying.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from gateway.accept import board
from gateway.accept.binding import bind
from gateway.supervisor.child import Child, Place, name, places
from gateway.supervisor.handing import environment, hand
from gateway.supervisor.statedir import state_dir
from gateway.watch.admin import Admin
from gateway.watch.log import Log
from settings.load import SettingsError
from settings.model import Settings
from settings.tls import start_problems

_BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_SILENCE = 10.0
_HEALTHY = 30.0
_TRIAL = 30.0


class FaultError(Exception):
    """The settings keep the workers from starting; the text says what in them."""


class Supervisor:
    """Runs until `stop` is set."""

    def __init__(self, settings: Settings, load: Callable[[], Settings], log: Log) -> None:
        """`load` reads the configuration anew."""
        self.settings = settings
        self.log = log
        self.stop = asyncio.Event()
        self.on_reload: Callable[[asyncio.Task[None]], object] = lambda _: None
        self._load = load
        self._sockets: list[socket.socket] = []
        self._children: list[Child] = []
        self._deaths = 0
        self._announced = False
        self._fault = ""
        """The latest that a process told of the settings."""
        self._epoch = self._epochs = 0
        self._reloading = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._own_run_dir = ""
        self.run_dir = Path()

    @property
    def ready(self) -> bool:
        """Every worker in service said so lately."""
        now = asyncio.get_running_loop().time()
        serving = [child for child in self._children if child.serving]
        return len(serving) >= len(places(self.settings)) and all(
            child.ready and now - child.heard < _SILENCE for child in serving
        )

    @property
    def addresses(self) -> list[str]:
        """host:port of each listener, with the real port."""
        names = (bound.getsockname() for bound in self._sockets)
        return [f"{name[0]}:{name[1]}" for name in names]

    async def run(self, announce: Callable[[list[str], str], None]) -> None:
        """Bind, start workers, serve. `announce(addresses, admin)` when mail can be sent.

        Raises OSError, naming the address, when a port is taken, and FaultError."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._prepare_run_dir()
        try:
            self._sockets = [bind(li.host, li.port) for li in self.settings.gateway.listeners]
            async with Admin(self).serving() as admin:
                for place in places(self.settings):
                    self._start(place)
                while not self.ready and not self.stop.is_set():
                    await asyncio.sleep(0.02)
                if not self.stop.is_set():
                    self._announced = True
                    announce(self.addresses, admin)
                await self.stop.wait()
                await self._end()
            if self._fault and not self._announced:
                raise FaultError(self._fault)
        finally:
            for bound in self._sockets:
                bound.close()
            if self._own_run_dir:
                shutil.rmtree(self._own_run_dir, ignore_errors=True)

    def _prepare_run_dir(self) -> None:
        configured = self.settings.gateway.run_dir
        if not configured:
            self._own_run_dir = tempfile.mkdtemp(prefix="sendgate-gateway-")
        self.run_dir = Path(configured or self._own_run_dir)
        self.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stale in self.run_dir.glob("*.db"):
            stale.unlink()
        board.make(self.run_dir / "board")

    def _held(self, place: Place) -> bool:
        """A process in service has this place."""
        return any(child.place == place and child.serving for child in self._children)

    def _start(self, place: Place, trial: Settings | None = None) -> None:
        """`trial`: settings that are tried; else those in force."""
        role, index = place
        settings = trial or self.settings
        read_end, write_end = os.pipe()
        descriptors = [bound.fileno() for bound in self._sockets]
        handed = -1
        try:
            handed = hand(settings, state_dir(settings, self.run_dir), os.environ)
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "gateway", f"--{role}", str(index),
                    "--settings-fd", str(handed),
                    "--listen-fds", ",".join(map(str, descriptors)),
                    "--report-fd", str(write_end),
                    "--board", str(self.run_dir / "board"),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=(*descriptors, write_end, handed),
                env=environment(os.environ, self.run_dir),
                start_new_session=True,
            )  # fmt: skip
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
            if handed >= 0:
                os.close(handed)
        child = Child(process, place, self._epoch)
        child.trial = trial is not None
        self._children.append(child)
        task = asyncio.get_running_loop().create_task(self._attend(child, read_end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, child: Child, report: int) -> None:
        """Hear a worker out; when its pipe ends, it has ended."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(report, "rb", 0)
        )
        try:
            while line := await reader.readline():
                child.ready = line == b"ready\n"
                child.heard = loop.time()
                if line.startswith(b"fault "):
                    child.fault = self._fault = line[6:].decode("utf-8", "replace").strip()
        finally:
            transport.close()
        code = await asyncio.to_thread(child.process.wait)
        self._children.remove(child)
        Admin.forget(child.process.pid, self.run_dir)
        if not child.serving or self.stop.is_set():
            return
        if child.fault and not self._announced:
            # At the start nothing is served yet that would be lost by saying so and ending.
            self.stop.set()
            return
        self._deaths = 0 if loop.time() - child.born > _HEALTHY else self._deaths + 1
        delay = _BACKOFF[min(self._deaths, len(_BACKOFF) - 1)]
        why = {"why": child.fault} if child.fault else {}
        self.log.error("worker_died", worker=name(child.place), code=code, again_in=delay, **why)
        await asyncio.sleep(delay)
        while not self.stop.is_set() and child.epoch == self._epoch:
            if self._held(child.place):
                return
            try:
                self._start(child.place)
            except OSError as error:
                # Out of processes or memory: the place stays ours to fill.
                self.log.error("worker_not_started", worker=name(child.place), why=str(error))
                await asyncio.sleep(_BACKOFF[-1])
            else:
                return

    def _reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self._replace())
        self.on_reload(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self) -> None:
        try:
            settings = self._load()
        except SettingsError as error:
            self.log.error("reload_refused", why=error.problems)
            return
        if problems := start_problems(settings):
            self.log.error("reload_refused", why=problems)
            return
        if settings.gateway.listeners != self.settings.gateway.listeners:
            self.log.error("reload_refused", why="listeners change with a restart only")
            return
        if self.stop.is_set():
            return
        if self._reloading:
            self.log.error("reload_refused", why="a reload is under way")
            return
        self._reloading = True
        try:
            await self._succeed(settings)
        finally:
            self._reloading = False

    async def _succeed(self, settings: Settings) -> None:
        """New workers in the place of the old ones; the old ones go on if a new one fails."""
        old, epoch = self._children[:], self._epoch
        self._epochs += 1
        self._epoch = self._epochs
        self._fault = ""
        wanted = places(settings)
        why = await self._try_out(wanted, settings)
        fresh = [child for child in self._children if child.trial]
        if not why and len(fresh) < len(wanted):
            why = "a new worker died"
        if why:
            self.log.error("reload_failed", why=f"{why}; the old ones go on")
            self._epoch = epoch
            for child in fresh:
                child.retired = True
                child.process.terminate()
            self._fillplaces()
            return
        self.settings = settings
        for child in fresh:
            child.trial = False
        for child in old:
            if not child.retired:
                child.retired = True
                child.process.send_signal(signal.SIGHUP)
        self.log.info("reloaded", workers=settings.gateway.workers)

    async def _try_out(self, wanted: list[Place], settings: Settings) -> str:
        """Start all on trial and wait until they are ready; why they are not, or ''."""
        try:
            for place in wanted:
                self._start(place, settings)
        except OSError as error:
            return f"a new worker could not be started: {error}"
        deadline = asyncio.get_running_loop().time() + _TRIAL
        while not self.stop.is_set():
            fresh = [child for child in self._children if child.trial]
            if len(fresh) < len(wanted):
                return f"a new worker died{': ' if self._fault else ''}{self._fault}"
            if all(child.ready for child in fresh):
                return ""
            if asyncio.get_running_loop().time() > deadline:
                return "a new worker is not ready in time"
            await asyncio.sleep(0.02)
        return "the gateway is ending"

    def _fillplaces(self) -> None:
        """Replace old workers that died while their successors were tried."""
        for place in places(self.settings):
            if self._held(place) or self.stop.is_set():
                continue
            try:
                self._start(place)
            except OSError as error:
                self.log.error("worker_not_started", worker=name(place), why=str(error))

    async def _end(self) -> None:
        """Drain all workers, then make sure."""
        for bound in self._sockets:
            # Ours are the last copies: left open, clients would connect and hear nothing.
            bound.close()
        for child in self._children:
            child.process.terminate()
        gateway = self.settings.gateway
        patience = gateway.drain + gateway.answer_budget + 10
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        for child in self._children:
            self.log.error("worker_killed", worker=name(child.place))
            child.process.kill()
