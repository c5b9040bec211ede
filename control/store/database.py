"""The connection pool, opened, and the refusal to run on a database that may forget commits."""

from typing import Any, TypeVar

import asyncpg
import msgspec

from control.store.connecting import KNOWS_TRANSACTIONS, connect, whole_transactions
from control.store.pool import Pool, clean
from settings.model import Database
from settings.statements import statements

_SQL = statements(__package__, "database")

T = TypeVar("T")
Connection = Any
"""asyncpg's connection, its pool proxy, or a pool of them; asyncpg ships no types."""


class DatabaseRefusedError(Exception):
    """The database cannot keep our promises; the text says which setting to change."""


_STATEMENTS = 8
"""Of a transaction in which each may take so long as `allow` says: those of a rebuilt ledger."""
_NOT_ME = ("25006", "57P", "08")
"""Read-only, shutting down, broken: another server may be the primary by now."""


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: msgspec.json.encode(value).decode(),
        decoder=msgspec.json.decode,
    )


async def open_pool(database: Database) -> Pool:
    """A pool whose sessions read jsonb as values, and in which, or for which, nothing waits without
    an end. An answer that says "not me" ends all its connections as they come back.

    Raises DatabaseRefusedError, and asyncpg's or the system's error when nobody answers."""
    pools: list[Pool] = []

    async def distrust(query: Any) -> None:
        code = str(getattr(query.exception, "sqlstate", "") or "")
        if pools and code.startswith(_NOT_ME):
            await pools[0].expire_connections()

    whole = whole_transactions(database.whole)

    async def prepare(connection: Connection) -> None:
        await whole(connection)
        await _prepare(connection)
        connection.add_query_logger(distrust)

    async def reset(connection: Connection) -> None:
        if not clean():
            await connection.reset()
            await whole(connection)

    inner = await asyncpg.create_pool(
        database.url,
        # No floor: asyncpg would report each failure to keep it while PostgreSQL is away.
        min_size=0,
        max_size=database.connections,
        command_timeout=database.timeout,
        init=prepare,
        reset=reset,
        connect=connect,
        timeout=10.0,
        server_settings={
            "application_name": "sendgate control",
            # Statements whose parameters may be null ask for all or for few rows: one plan that
            # fits both would read all.
            "plan_cache_mode": "force_custom_plan",
            **database.bounds(),
        },
    )
    pool = Pool(inner, database.timeout)
    pools.append(pool)
    try:
        async with pool.acquire() as connection:
            if found := await durability_problems(connection):
                raise DatabaseRefusedError("; ".join(found))
    except BaseException:
        await pool.close()
        raise
    return pool


async def allow(connection: Connection, seconds: float) -> None:
    """For this transaction: so long for one statement, for what reads or changes all that waits.
    Its caller gives asyncpg the same `timeout`."""
    await connection.execute(_SQL["allow"], str(round(seconds * 1000)))
    if connection.get_server_version() >= KNOWS_TRANSACTIONS:
        # A timer that runs is not set anew by a longer time: first it has to stop.
        await connection.execute(_SQL["allow_whole"], "0")
        await connection.execute(_SQL["allow_whole"], str(round(_STATEMENTS * seconds * 1000)))


async def fetch(
    connection: Connection,
    kind: type[T],
    statement: str,
    *values: Any,
    timeout: float | None = None,
) -> list[T]:
    """The rows of a statement as structs of `kind`, column names being field names. `timeout` in
    seconds, instead of the connection's."""
    records = await connection.fetch(statement, *values, timeout=timeout)
    return [msgspec.convert(dict(record), kind) for record in records]


async def durability_problems(connection: Connection) -> list[str]:
    """Why a commit on this database may be lost, as sentences; empty when it is kept."""
    settings = dict(await connection.fetch(_SQL["durability"]))
    found = []
    if settings["fsync"] != "on":
        found.append("PostgreSQL runs with fsync = off: set it on, or a crash loses commits")
    if settings["synchronous_commit"] == "off":
        found.append(
            "PostgreSQL runs with synchronous_commit = off for us: set it on, for the database "
            "and for our role"
        )
    if int(settings["server_version_num"]) < 150_000:
        found.append("PostgreSQL 15 or newer is needed")
    return found
