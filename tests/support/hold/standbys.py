"""A standby of a PostgreSQL of a test's own, by `pg_basebackup`, and its promotion."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from control.embedded.servers import binaries
from control.embedded.servers.postgres import LocalPostgres


@asynccontextmanager
async def standby_of(primary: LocalPostgres, folder: Path) -> AsyncIterator[LocalPostgres]:
    """A hot standby that streams from `primary`, asynchronously; the same users and passwords."""
    await copy(primary, folder)
    async with LocalPostgres(folder) as standby:
        yield standby


async def copy(primary: LocalPostgres, folder: Path) -> None:
    """The files of a standby, owned as the primary's are."""
    folder.mkdir(mode=0o755)
    shutil.copy2(primary.data_dir / "password", folder / "password")
    cluster = folder / "cluster"
    process = await asyncio.create_subprocess_exec(
        str(binaries.postgres_bin() / "pg_basebackup"),
        *("--pgdata", str(cluster), "--write-recovery-conf", "--wal-method", "stream"),
        *("--checkpoint", "fast", "--no-sync", "--dbname", primary.url),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    owner = (primary.data_dir / "cluster").stat()
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


async def caught_up(primary: LocalPostgres, standby: LocalPostgres) -> None:
    """Wait until the standby has replayed what the primary has written."""
    position = await ask(primary.url, "SELECT pg_current_wal_lsn()::text")
    async with asyncio.timeout(20):
        while not await ask(
            standby.url, f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"
        ):
            await asyncio.sleep(0.05)


async def cut_off(standby: LocalPostgres) -> None:
    """It hears nothing of the primary from now on, and stays as it is."""
    # On its command line the product sets other things; this one is read again.
    await ask(standby.url, "ALTER SYSTEM SET primary_conninfo = ''")
    assert await ask(standby.url, "SELECT pg_reload_conf()")
    async with asyncio.timeout(20):
        while await ask(standby.url, "SELECT count(*) FROM pg_stat_wal_receiver"):
            await asyncio.sleep(0.05)


async def promote(standby: LocalPostgres) -> None:
    """It is a primary of its own from now on, on a new timeline."""
    assert await ask(standby.url, "SELECT pg_promote()")


async def ask(url: str, question: str) -> object:
    """The one value of a statement."""
    connection = await asyncpg.connect(url, timeout=5.0)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()
