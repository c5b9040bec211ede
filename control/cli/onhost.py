"""Commands that change rows of the database themselves: what they make lets people ask the API in
the first place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from redis.exceptions import RedisError

from control.problem import RefusedError
from control.store.change import Act
from control.store.database import Connection, open_pool
from control.store.refusal import NO_SCHEMA, UNREACHABLE, no_database
from control.terminal.configuration import configuration
from control.terminal.invocation import Invocation
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from settings.model import Settings

T = TypeVar("T")


def run(
    line: Invocation, config: Path | None, act: Callable[[Act], Awaitable[T]], *, dry: bool = False
) -> T:
    """One transaction; `dry` rolls it back. Raises RefusedError."""
    return asyncio.run(_transaction(configuration(line, config), act, dry))


def run_in_steps(settings: Settings, do: Callable[[Connection], Awaitable[T]]) -> T:
    """`do` makes transactions of its own. Raises RefusedError."""

    async def steps() -> T:
        async with _connected(settings) as connection:
            return await do(connection)

    return asyncio.run(steps())


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Connection]:
    try:
        pool = await open_pool(msgspec.structs.replace(settings.database, connections=1))
    except UNREACHABLE as error:
        raise no_database(settings.database.url, error) from error
    try:
        async with pool.acquire() as connection:
            yield connection
    except NO_SCHEMA as error:
        raise RefusedError("the database has no schema yet: run `sendgate migrate`") from error
    finally:
        await pool.close()


async def _transaction(settings: Settings, act: Callable[[Act], Awaitable[T]], dry: bool) -> T:
    now = await _now(settings)
    async with _connected(settings) as connection:
        transaction = connection.transaction()
        await transaction.start()
        done = False
        try:
            found = await act(Act(connection, now, "command line"))
            done = not dry
        finally:
            await (transaction.commit() if done else transaction.rollback())
        return found


async def _now(settings: Settings) -> datetime:
    """By the clock seam where the ledger answers; a token must be revocable without it."""
    client = connect(settings.ledger.url, timeout=settings.ledger.timeout)
    try:
        milliseconds, _ = await LedgerAdmin(client, settings.ledger.name).now()
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (RedisError, OSError):
        return datetime.now(UTC)
    finally:
        await client.aclose()
