"""`sendgate check` and `sendgate migrate`: is everything there, and is it as it must be?"""

import asyncio
import os
import sys
from typing import Annotated, Any

import asyncpg
import msgspec
import typer
from redis.exceptions import RedisError

from control.accounting.survey import found as found_in_accounting
from control.cli.configuration import Config, configuration
from control.cli.show import as_json, line_of, say
from control.problem import FieldProblem, Problem, RefusedError
from control.standing import ledger_status
from control.store.database import DatabaseRefusedError, open_pool
from control.store.rows import ServerRow, fetch
from control.store.statements import statements
from control.view.ledger import LedgerState
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from settings.environment import without_effect
from settings.load import SettingsError
from settings.model import Settings

GREETING_WAIT = 5.0
"""Seconds for PowerMTA's greeting."""


def check(context: typer.Context, config: Config = None) -> None:
    """Settings, PostgreSQL, ledger and PowerMTA: every problem at once."""
    line = line_of(context)
    warnings = without_effect(os.environ)
    problems: list[str] = []
    good: list[str] = []
    try:
        settings = configuration(line, config)
        good.append("settings")
    except SettingsError as error:
        problems += error.problems
    else:
        asyncio.run(_parts(settings, problems, good))
    if not line.json:
        for text in good:
            say(f"ok: {text}")
        for text in warnings:
            say(f"without effect: {text}")
    if problems:
        for text in problems:
            print(f"sendgate: {text}", file=sys.stderr)
        if line.json:
            title = f"{len(problems)} problems" if len(problems) > 1 else problems[0]
            errors = [FieldProblem("", text) for text in problems]
            as_json(Problem(title=title, status=409, errors=errors))
        raise typer.Exit(1)
    if line.json:
        as_json({"ok": good, "without_effect": warnings})


def migrate(
    context: typer.Context,
    config: Config = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when something is missing.")
    ] = False,
) -> None:
    """Bring the database to this version's schema."""
    # Alembic and SQLAlchemy take longer to import than most commands take to run.
    from control.app import no_database
    from control.store.migrate import migrate as run_migrations
    from control.store.migrate import newest, revision

    line = line_of(context)
    url = configuration(line, config).database.url
    try:
        if check_only:
            before = after = asyncio.run(revision(url))
            if before != newest():
                raise RefusedError(
                    f"the database is at schema {before or 'none'}, this version needs "
                    f"{newest()}: run `sendgate migrate`"
                )
        else:
            before, after = asyncio.run(run_migrations(url))
    except (OSError, asyncpg.PostgresError) as error:
        raise no_database(url, error) from error
    if line.json:
        as_json({"before": before, "after": after})
    else:
        say(f"schema {after}" + ("" if before == after else f" (was {before or 'empty'})"))


async def _parts(settings: Settings, problems: list[str], good: list[str]) -> None:
    from control.store.migrate import newest, revision

    servers: list[ServerRow] = []
    try:
        pool = await open_pool(msgspec.structs.replace(settings.database, connections=1))
    except DatabaseRefusedError as error:
        await _ledger(settings, None, problems, good)
        problems.append(f"PostgreSQL: {error}")
        return
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        await _ledger(settings, None, problems, good)
        problems.append(f"PostgreSQL does not answer: {error or 'timed out'}")
        return
    try:
        at = await revision(settings.database.url)
        await _ledger(settings, pool if at == newest() else None, problems, good)
        if at != newest():
            problems.append(f"PostgreSQL is at schema {at or 'none'}: run `sendgate migrate`")
            return
        good.append("PostgreSQL")
        servers = await fetch(pool, ServerRow, statements("server")["all"])
        if settings.accounting.streams:
            trouble = await found_in_accounting(pool, settings.accounting)
            problems += trouble
            good += [] if trouble else ["accounting"]
    finally:
        await pool.close()
    for server in servers:
        for address in server.addresses:
            await _greeting(server.name, address["host"], address["port"], problems, good)


async def _ledger(settings: Settings, pool: Any, problems: list[str], good: list[str]) -> None:
    """The server, and (with a `pool`) whether it is the ledger that was opened."""
    client = connect(settings.ledger.url, timeout=settings.ledger.timeout)
    try:
        admin = LedgerAdmin(client, settings.ledger.name)
        found = [f"ledger: {text}" for text in await admin.server_problems()]
        status = None if pool is None else await ledger_status(pool, admin)
        # One that was never opened is opened by the first `sendgate control`.
        if status is not None and status.state in (LedgerState.LOST, LedgerState.REBUILDING):
            found.append(f"ledger {status.name} is {status.state.value}: {status.detail}")
        problems += found
        if not found:
            good.append("ledger")
    except (RedisError, OSError) as error:
        problems.append(f"the ledger does not answer: {error}")
    finally:
        await client.aclose()


async def _greeting(name: str, host: str, port: int, problems: list[str], good: list[str]) -> None:
    where = f"PowerMTA {name} at {host}:{port}"
    try:
        async with asyncio.timeout(GREETING_WAIT):
            reader, writer = await asyncio.open_connection(host, port)
            greeting = (await reader.readline()).decode("ascii", "replace").strip()
            writer.write(b"QUIT\r\n")
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        problems.append(f"{where} does not answer: {error or 'timed out'}")
        return
    if greeting.startswith("220"):
        good.append(where)
    else:
        problems.append(f"{where} greets with {greeting[:100]!r}")
