"""Valkey for one scenario, with handles to hurt it."""

import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from control.embedded.servers.valkey import LocalValkey
from tests.support.ledger.replicas import demote, follow, promote
from tests.support.processes import send


class ValkeyPart:
    """The server under the ledger."""

    name = "Valkey"

    def __init__(self, folder: Path) -> None:
        self.server = LocalValkey(folder)

    @property
    def url(self) -> str:
        return self.server.url

    async def start(self) -> None:
        await self.server.start()

    def kill(self) -> None:
        send([self.server.pid], signal.SIGKILL)

    def freeze(self) -> None:
        send([self.server.pid], signal.SIGSTOP)

    def thaw(self) -> None:
        send([self.server.pid], signal.SIGCONT)

    def wipe(self) -> None:
        """Lose the disk of a killed server."""
        for path in self.server.data_dir.glob("appendonlydir*"):
            shutil.rmtree(path)

    async def restart(self) -> None:
        """With the data that is there."""
        await self.server.restart()

    @asynccontextmanager
    async def replica(self, folder: Path) -> AsyncIterator[LocalValkey]:
        """A second server that follows this one."""
        async with LocalValkey(folder) as second:
            await follow(self.server, second)
            yield second

    async def lose_to(self, replica: LocalValkey, *, demoted: bool) -> None:
        """The replica is the master from now on; this one learns of it when it is `demoted`, and
        takes writes as before when it is cut off."""
        await promote(self.server, replica)
        if demoted:
            await demote(self.server, replica)

    async def stop(self) -> None:
        if "stopped" not in repr(self.server):
            self.thaw()
        await self.server.stop()
