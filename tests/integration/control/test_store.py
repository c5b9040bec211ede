"""The schema: an empty database migrates, and migrating twice changes nothing."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from control.store.database import DatabaseRefusedError, open_pool
from control.store.migrate import migrate, newest, revision
from gateway.hold.database import Database
from gateway.hold.primary import refusal
from gateway.watch.log import Log
from settings.load import load
from settings.model import Database as DatabaseSettings


async def _shape(url: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT table_name, column_name, data_type, is_nullable, column_default "
            "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        rows += await connection.fetch(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2"
        )
        rows += await connection.fetch("SELECT indexname, indexdef FROM pg_indexes ORDER BY 1")
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


async def test_an_empty_database_migrates_and_twice_changes_nothing(postgres_url: str) -> None:
    assert await revision(postgres_url) is None
    assert await migrate(postgres_url) == (None, newest())
    before = await _shape(postgres_url)
    assert {"tenant", "virtual_mta", "audit_log", "generation"} <= {row[0] for row in before}
    assert await migrate(postgres_url) == (newest(), newest())
    assert await _shape(postgres_url) == before


async def test_two_nodes_that_start_together_migrate_once(postgres_url: str) -> None:
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(migrate(postgres_url), migrate(postgres_url))
    assert sorted(before or "" for before, _ in outcomes) == ["", newest()]


async def test_a_failed_migration_leaves_nothing(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE audit_log (id int)")
    with pytest.raises(Exception, match="audit_log"):
        await migrate(postgres_url)
    tables = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    await connection.close()
    assert [row["table_name"] for row in tables] == ["audit_log"]


async def test_a_database_that_forgets_commits_is_refused(postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    await connection.close()
    with pytest.raises(DatabaseRefusedError, match="synchronous_commit = off"):
        await open_pool(DatabaseSettings(url=postgres_url))


async def test_a_url_of_another_stack_migrates_and_opens_every_pool(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses a connection that names a setting it does not know."""
    monkeypatch.chdir(tmp_path)
    given = postgres_url + "?connection_limit=3&pool_timeout=30&schema=public"
    with pytest.raises(asyncpg.PostgresError, match="unrecognized configuration parameter"):
        await open_pool(DatabaseSettings(url=given))
    settings = load(None, {"DATABASE_URL": given})
    url = settings.database.url
    assert await migrate(url) == (None, newest())
    pool = await open_pool(settings.database)
    assert (pool.get_max_size(), settings.hold.connections) == (3, 3)
    await pool.close()
    assert await refusal(url) == ""
    database = Database(url, connections=settings.hold.connections, timeout=5.0, log=Log())
    await database.open()
    async with database.connection() as connection, database.fresh(5.0) as fresh:
        assert [await c.fetchval("SELECT 1") for c in (connection, fresh)] == [1, 1]
    await database.close()
