"""`sendgate token …`: straight at the database, for the first token has no API to come from."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
import typer
from redis.exceptions import RedisError

from control.problem import RefusedError
from control.store.change import Act
from control.store.database import open_pool
from control.store.refusal import NO_SCHEMA, UNREACHABLE, no_database
from control.terminal.configuration import Config, configuration
from control.terminal.invocation import Invocation
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import one_of
from control.users import token
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from settings.model import Settings

app = typer.Typer(no_args_is_help=True, help="Tokens of the API.")

T = TypeVar("T")


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    role: Annotated[
        str, typer.Option(help="admin, operator, read, scrape, accounting or agent.")
    ] = "admin",
    tenant: Annotated[
        str | None, typer.Option(help="The only one it sees and changes; else all.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a token; it is shown this once."""
    one_of("--role", role, *token.ALL_ROLES)
    may = next(known for known in token.ALL_ROLES if known == role)

    async def act(act: Act) -> str:
        return await token.add(act, name, may, tenant)

    made = _run(line_of(context), config, act)
    as_json({"name": name, "token": made}) if line_of(context).json else say(made)


@app.command("list")
def list_(context: typer.Context, config: Config = None) -> None:
    """All tokens."""

    async def act(act: Act) -> list[token.TokenView]:
        return await token.tokens(act.connection)

    found = _run(line_of(context), config, act)
    if line_of(context).json:
        as_json(found)
        return
    table(
        ("token", "role", "tenant", "created", "last used"),
        ((t.name, t.role, t.tenant or "all", t.created, t.used) for t in found),
    )


@app.command()
def revoke(
    context: typer.Context, name: Annotated[str, typer.Argument()], config: Config = None
) -> None:
    """Make a token worthless at once."""

    async def act(act: Act) -> None:
        await token.revoke(act, name)

    _run(line_of(context), config, act)
    as_json({"revoked": name}) if line_of(context).json else say(f"token {name}: revoked")


def _run(line: Invocation, config: Config, act: Callable[[Act], Awaitable[T]]) -> T:
    return asyncio.run(_transaction(configuration(line, config), act))


async def _transaction(settings: Settings, act: Callable[[Act], Awaitable[T]]) -> T:
    now = await _now(settings)
    try:
        pool = await open_pool(msgspec.structs.replace(settings.database, connections=1))
    except UNREACHABLE as error:
        raise no_database(settings.database.url, error) from error
    try:
        async with pool.acquire() as connection, connection.transaction():
            return await act(Act(connection, now, "command line"))
    except NO_SCHEMA as error:
        raise RefusedError("the database has no schema yet: run `sendgate migrate`") from error
    finally:
        await pool.close()


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
