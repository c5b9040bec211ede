"""The real servers tests run against: one Valkey and one PostgreSQL a test process.

Started when the first test asks and stopped when the session ends; every test gets them empty.
Everything is set as in production, fsync too: no test sees another server than an operator has.
But it lies in memory where there is room, where a sync costs nothing: a database more on a busy
disk costs seconds, and what a test proves about a disk it proves on servers of its own.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from control.embedded.servers.postgres import LocalPostgres
from control.embedded.servers.valkey import LocalValkey

# Called with the URL of an empty database, to bring it to the state tests start from.
Build = Callable[[str], Awaitable[None]]


MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Octets that have to be free in it: several times what a session's servers take."""


@contextlib.contextmanager
def folder_in_memory(otherwise: Path) -> Iterator[Path]:
    """A new folder in memory, removed at the end; `otherwise` on a machine without room for it."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        yield otherwise
        return
    for left in MEMORY.glob("sendgate-tests-*"):
        if not Path("/proc", left.name.split("-")[2]).exists():  # its session was killed
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"sendgate-tests-{os.getpid()}-", dir=MEMORY))
    folder.chmod(0o755)  # PostgreSQL's own user has to enter it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class SharedParts:
    """The servers of one pytest session (of one xdist worker, where there are several)."""

    def __init__(self, directory: Path) -> None:
        self._valkey = LocalValkey(directory / "valkey")
        self._postgres = LocalPostgres(directory / "postgres")
        self._started: set[LocalValkey | LocalPostgres] = set()
        self._templates: dict[str, str] = {}
        self._numbers = itertools.count(1)

    async def shared_valkey(self) -> LocalValkey:
        """The running Valkey, with whatever the test before left in it."""
        await self._start(self._valkey)
        return self._valkey

    async def shared_postgres(self) -> LocalPostgres:
        """The running PostgreSQL; take a database of your own from `create_database`."""
        await self._start(self._postgres)
        return self._postgres

    async def empty_valkey(self) -> str:
        """The URL of the Valkey after FLUSHALL and with no scripts or functions loaded."""
        valkey = await self.shared_valkey()
        async with Redis.from_url(valkey.url) as client:
            await client.flushall()
            await client.script_flush("SYNC")
            await client.function_flush("SYNC")
        return valkey.url

    async def create_database(self, template: str = "template0", build: Build | None = None) -> str:
        """The URL of a new database.

        With `build`, the template of that name is built once a session and then copied, which
        costs tens of milliseconds however long the migrations took.
        """
        if build is not None and template not in self._templates:
            name = f"template_{next(self._numbers)}"
            await self._execute(f'CREATE DATABASE "{name}"')
            await build(self._url(name))
            self._templates[template] = name
        source = self._templates.get(template, template)
        name = f"test_{next(self._numbers)}"
        # As files: 0.13 s for the whole schema, and 0.19 s by way of the write-ahead log.
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY FILE_COPY')
        return self._url(name)

    async def drop_database(self, url: str) -> None:
        """Drop a database, ending whatever sessions a failed test left in it."""
        await self._execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def close(self) -> None:
        """Stop what was started; called outside of any event loop."""
        for part in self._started:
            asyncio.run(part.stop())

    async def _start(self, part: LocalValkey | LocalPostgres) -> None:
        if part not in self._started:
            await part.start()
            self._started.add(part)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect((await self.shared_postgres()).url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _url(self, database: str) -> str:
        return self._postgres.url.rpartition("/")[0] + "/" + database
