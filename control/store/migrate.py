"""Brings a database to this version's schema, once, whoever starts at the same time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any, cast

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from control.problem import RefusedError
from control.store.connecting import connect as connect_to
from settings.model import Database

MIGRATION_LOCK = 0x5E4D_6A7E_0001
"""PostgreSQL advisory lock: two control nodes that start together migrate one after the other."""


_TELLS = "0077"
"""From this revision on the schema says whose programs run on it."""

_LOOK = 30.0
_MIGRATION = 86_400.0
"""Seconds for one statement: an index over all that waits may take hours, and a node that starts
together with another waits for it."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("control.store.migrations")))
    return config


def _script() -> ScriptDirectory:
    return _read(_config().get_main_option("script_location") or "")


@cache
def _read(location: str) -> ScriptDirectory:
    """What does not change while a process runs: dozens of modules are read for it."""
    return ScriptDirectory(location)


def newest() -> str:
    """The revision this version needs."""
    return cast(str, _script().get_current_head())


def known(wanted: str) -> bool:
    """Whether this version knows a revision, and so the way from it to its own."""
    script = _script()
    return any(one.revision == wanted for one in script.walk_revisions())


def oldest(to: str = "head") -> str:
    """The oldest revision whose programs run on revision `to`: behind it there are only migrations
    that say of themselves `additive = True`."""
    script = _script()
    way = list(script.iterate_revisions(to, "base"))
    return next(one.revision for one in way if not getattr(one.module, "additive", False))


@asynccontextmanager
async def _engine(url: str, statement: float) -> AsyncIterator[AsyncEngine]:
    """`statement`: seconds for one. Raises asyncpg's or the system's error when nobody answers."""
    # asyncpg reads the URL itself, so that TLS parameters mean the same everywhere; and before
    # SQLAlchemy, which would wrap what goes wrong, so that nobody knew it again.
    bounds = Database(url=url, timeout=statement).bounds()
    connection = await connect_to(
        url, timeout=10.0, server_settings={"application_name": "sendgate migrate", **bounds}
    )

    async def connected(*_: Any, **__: Any) -> asyncpg.Connection:
        return connection

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connected, poolclass=NullPool
    )
    try:
        yield engine
    finally:
        await engine.dispose()
        connection.terminate()


async def revision(url: str) -> str | None:
    """The revision the database is at; None for an empty one."""
    async with _engine(url, _LOOK) as engine, engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


async def migrate(url: str, to: str = "head") -> tuple[str | None, str]:
    """Run what is missing, in one transaction. Returns (revision before, revision after): the same,
    where a newer version was here. Raises RefusedError where a table is another role's.

    `to`: a revision before this version's, for tests of the migrations behind it."""
    try:
        async with _engine(url, _MIGRATION) as engine, engine.begin() as connection:
            return await connection.run_sync(_upgrade, to)
    except DBAPIError as error:
        said = getattr(error.orig, "__cause__", None)
        if not isinstance(said, asyncpg.InsufficientPrivilegeError):
            raise
        detail = f"the migration may not change what it has to ({said}): nothing was changed"
        page = "deploy/runbook/people.md: an audit log of another owner"
        fix = f"give the table back to the role of database.url ({page}), then migrate again"
        raise RefusedError(detail, fix=fix) from error


def _upgrade(connection: Connection, to: str) -> tuple[str | None, str]:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    before = MigrationContext.configure(connection).get_current_revision()
    if before is not None and not known(before):
        # Of a newer version: there is nothing to do, and no way back (control.store.schema).
        return before, before
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    after = newest() if to == "head" else to
    if after >= _TELLS:
        connection.exec_driver_sql("UPDATE schema_reads SET oldest = $1", (oldest(after),))
    return before, after
