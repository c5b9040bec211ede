"""The gateway as in production: supervisor, workers, releasers, each with a handle to hurt it."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from control.embedded.stack.toml import to_toml
from settings.model import Settings
from tests.faults.process import Served
from tests.support.processes import arguments, children, family, send

BREAKAGE = Path(__file__).with_name("breakage")


def environment_of(breakage: str) -> Mapping[str, str]:
    """Of a process that is to run that function of tests.faults.breakage.breakages, if it is the
    one to be broken."""
    if not breakage:
        return {}
    root = Path(__file__).parents[2]
    return {"PYTHONPATH": f"{BREAKAGE}:{root}", "PYTHON_BREAKAGE": breakage}


class GatePart:
    """The gateway of one node."""

    name = "gateway"

    def __init__(self, folder: Path, settings: Settings, breakage: str = "") -> None:
        """`breakage`: a function of tests.faults.breakage.breakages, run in every child."""
        file = folder / "gateway.toml"
        file.write_text(to_toml(settings), encoding="utf-8")
        self.port = settings.gateway.listeners[0].port
        self._admin = f"http://127.0.0.1:{settings.gateway.admin_port}"
        self.served = Served(
            *("-m", "gateway", "--config", str(file)),
            folder=folder,
            name="gateway",
            environment=environment_of(breakage),
        )
        self._stopped: set[int] = set()
        self._orphans: list[int] = []

    async def start(self) -> None:
        await self.served.start()

    async def restart(self) -> None:
        """After the supervisor was killed: its workers end by themselves, and free the port."""
        async with asyncio.timeout(30):
            while any(arguments(pid) for pid in self._orphans):
                await asyncio.sleep(0.02)
        self._orphans = []
        await self.served.start()

    def workers(self) -> list[int]:
        """Pids of the workers, oldest first."""
        return self._named("--worker")

    def relayed(self, worker: int) -> int:
        """Messages that the worker with this pid says it has relayed; or one before it, in its
        place."""
        words = arguments(worker)
        name = f"worker-{words[words.index('--worker') + 1]}"
        lines = [line for line in self.log_lines() if line.get("process") == name]
        return sum(line.get("outcome") == "relayed" for line in lines)

    def releasers(self) -> list[int]:
        """Pids of the releasers, oldest first."""
        return self._named("--releaser")

    def _named(self, option: str) -> list[int]:
        return [pid for pid in children(self.served.pid) if option in arguments(pid)]

    def kill(self, *pids: int) -> None:
        """kill -9 of these children; of the supervisor without any."""
        if pids:
            send(pids, signal.SIGKILL)
        else:
            self._orphans = children(self.served.pid)
            self.served.kill()

    def kill_all(self) -> None:
        """kill -9 of the supervisor and everything it started."""
        self._orphans = children(self.served.pid)
        send(family(self.served.pid), signal.SIGKILL)
        self.served.kill()

    def freeze(self, *pids: int) -> None:
        self._stopped.update(pids)
        send(pids, signal.SIGSTOP)

    def thaw(self, *pids: int) -> None:
        self._stopped.difference_update(pids)
        send(pids, signal.SIGCONT)

    async def stop(self) -> None:
        send(self._stopped, signal.SIGCONT)
        await self.served.stop()
        send(self._orphans, signal.SIGKILL)

    def log_lines(self) -> list[dict[str, Any]]:
        """Every line its processes wrote that is whole: a killed one may leave half of one."""
        found = []
        for raw in self.served.log.read_bytes().splitlines():
            if raw.startswith(b"{") and raw.endswith(b"}"):
                try:
                    found.append(msgspec.json.decode(raw))
                except msgspec.DecodeError:
                    continue
        return found

    def harm(self) -> list[str]:
        """What its log says of processes that died and contents that cannot be opened."""
        events = ("worker_died", "held_unreadable", "release_crashed", "session_crashed")
        return [str(line) for line in self.log_lines() if line["event"] in events]

    async def ready(self) -> bool:
        """What a balancer is told."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"{self._admin}/readyz") as response,
            ):
                return response.status == 200
        except (OSError, TimeoutError, aiohttp.ClientError):
            return False
