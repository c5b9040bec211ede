"""PostgreSQL for one scenario: a copy of a cluster that has the schema, so that it starts in tenths
of a second and can be killed without asking anybody."""

import asyncio
import shutil
import signal
import subprocess
from pathlib import Path

import asyncpg

from control.embedded.servers.postgres import LocalPostgres
from control.store.migrate import migrate
from tests.faults.books import Row
from tests.support.processes import family, send

_ROWS = """
SELECT id, convert_from(recipient, 'UTF8') AS recipient, state, reason, ending
FROM held WHERE state <> 'tombstone'
"""


def make_template(folder: Path) -> Path:
    """A stopped cluster with the schema; called outside of any event loop."""

    async def build() -> None:
        async with LocalPostgres(folder) as postgres:
            await migrate(postgres.url)

    asyncio.run(build())
    # Copies run beside each other.
    (folder / "port").unlink()
    return folder


class PostgresPart:
    """The server, with handles to hurt it."""

    name = "PostgreSQL"

    def __init__(self, template: Path, folder: Path) -> None:
        # With owners: the server runs as a user of its own when we are root.
        subprocess.run(["cp", "-a", str(template), str(folder)], check=True)
        self._template = template
        self.server = LocalPostgres(folder)

    @property
    def url(self) -> str:
        return self.server.url

    async def start(self) -> None:
        await self.server.start()

    def kill(self) -> None:
        """kill -9 of the postmaster and every backend."""
        send(family(self.server.pid), signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP of all its processes; the postmaster first, so that it starts no more."""
        send([self.server.pid], signal.SIGSTOP)
        send(family(self.server.pid), signal.SIGSTOP)

    def thaw(self) -> None:
        send(family(self.server.pid), signal.SIGCONT)

    def replace_disk(self) -> None:
        """A killed server lost all it had: a new cluster is made in its place, with an empty
        database of the newest schema."""
        cluster = self.server.data_dir / "cluster"
        shutil.rmtree(cluster)
        subprocess.run(["cp", "-a", str(self._template / "cluster"), str(cluster)], check=True)

    async def restart(self) -> None:
        """With its data, after whatever was done to it."""
        await self.server.restart()

    async def stop(self) -> None:
        if "stopped" not in repr(self.server):
            self.thaw()
        await self.server.stop()

    async def rows(self) -> list[Row]:
        """The hold queue."""
        connection = await asyncpg.connect(self.url, timeout=10.0)
        try:
            return [Row(*row.values()) for row in await connection.fetch(_ROWS)]
        finally:
            await connection.close()

    async def number(self, statement: str) -> int:
        """What one statement counts."""
        connection = await asyncpg.connect(self.url, timeout=10.0)
        try:
            return int(await connection.fetchval(statement))
        finally:
            await connection.close()

    async def execute(self, statement: str, *values: object) -> None:
        """One statement of a scenario's own."""
        connection = await asyncpg.connect(self.url, timeout=10.0)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()
