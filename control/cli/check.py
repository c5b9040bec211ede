"""`sendgate check` and `sendgate migrate`: is everything there, and is it as it must be?"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from control.accounting.survey import found as found_in_accounting
from control.checks.certificate import lifetime_problems, weaknesses
from control.checks.listening import listening_problems
from control.ledger.status import LedgerState, ledger_status
from control.plan import rows
from control.plan.rows import ServerRow
from control.problem import FieldProblem, RefusedError, said
from control.setup.names import name_warnings
from control.setup.ports import port_problems
from control.store.database import DatabaseRefusedError, open_pool
from control.store.pool import enough
from control.store.refusal import UNREACHABLE, no_database
from control.terminal.configuration import Config, configuration
from control.terminal.show import as_json, line_of, say
from control.users.audit import found_slowly, kept
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect, tried
from policy.ledger.reopening import setup_problems
from settings.environment import misspelt, without_effect
from settings.load import SettingsError, with_dotenv
from settings.model import Relay, Settings
from settings.secret import masked
from settings.tls import client_context, control_problems, start_problems

LESS = "without effect: "
"""Before a warning about a variable."""

GREETING_WAIT = 5.0
"""Seconds for PowerMTA's greeting."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; every problem says what to do."""

    good: list[str] = []
    warnings: list[str] = []
    problems: list[str] = []

    def say(self) -> None:
        """For people: what is right and warnings on standard output, problems on standard error."""
        for text in self.good:
            say(f"ok: {text}")
        for text in self.warnings:
            say(text if text.startswith(LESS) else f"warning: {text}")
        for text in self.problems:
            print(f"sendgate: {text}", file=sys.stderr)


def check(context: typer.Context, config: Config = None) -> None:
    """Settings, ports, DNS, PostgreSQL, ledger, PowerMTA: every problem at once, with its fix."""
    line = line_of(context)
    code = 1
    try:
        found = look(configuration(line, config))
    except SettingsError as error:
        found, code = Looked(warnings=_variables(), problems=error.problems), 2
    if line.json:
        _as_json(found)
    else:
        found.say()
    if found.problems:
        if line.json:
            msgspec.structs.replace(found, good=[], warnings=[]).say()
        raise typer.Exit(code)


def look(settings: Settings, beside: Sequence[tuple[str, str, int]] = ()) -> Looked:
    """All that can be seen from this host. `beside`: name, host and port of PowerMTA servers that
    are not in PostgreSQL yet."""
    warnings, good = _variables(), list[str]()
    problems = [*start_problems(settings), *control_problems(settings.control)]
    problems += lifetime_problems(settings)
    problems += listening_problems(settings)
    problems += filter(None, [enough(settings.database.connections)])
    if not problems:
        good.append("settings")
    warnings += weaknesses(settings)
    asyncio.run(_parts(settings, beside, problems, good, warnings))
    return Looked(good=good, warnings=warnings, problems=problems)


def _variables() -> list[str]:
    environ = with_dotenv(os.environ)
    return [f"{LESS}{text}" for text in (*without_effect(environ), *misspelt(environ))]


def _as_json(found: Looked) -> None:
    if found.problems:
        many = len(found.problems) > 1
        detail = f"{len(found.problems)} problems" if many else found.problems[0]
        errors = [FieldProblem("", text) for text in found.problems]
        as_json(RefusedError(detail, errors=errors).problem())
        return
    less = [text.removeprefix(LESS) for text in found.warnings if text.startswith(LESS)]
    weak = [text for text in found.warnings if not text.startswith(LESS)]
    as_json({"ok": found.good, "without_effect": less, "warnings": weak})


def migrate(
    context: typer.Context,
    config: Config = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 when something is missing.")
    ] = False,
    back: Annotated[
        bool,
        typer.Option(
            "--back",
            help="Change nothing; exit 1 when a version that runs on the schema of now would not "
            "start any more afterwards.",
        ),
    ] = False,
) -> None:
    """Bring the database to this version's schema."""
    # Alembic and SQLAlchemy take longer to import than most commands take to run.
    from control.store.migrate import migrate as run_migrations
    from control.store.schema import schema

    line = line_of(context)
    url = configuration(line, config).database.url
    try:
        if check_only or back:
            stands = asyncio.run(schema(url))
            before = after = stands.at
            if problem := stands.no_way_back if back else stands.problem:
                raise RefusedError(problem)
        else:
            before, after = asyncio.run(run_migrations(url))
    except UNREACHABLE as error:
        raise no_database(url, error) from error
    if line.json:
        as_json({"before": before, "after": after})
    else:
        say(f"schema {after}" + ("" if before == after else f" (was {before or 'empty'})"))


async def _parts(
    settings: Settings,
    beside: Sequence[tuple[str, str, int]],
    problems: list[str],
    good: list[str],
    warnings: list[str],
) -> None:
    taken = await port_problems(settings)
    problems += taken
    good += [] if taken else ["ports"]
    warnings += await name_warnings(settings)
    servers = await _stores(settings, problems, good, warnings)
    known = [
        (server.name, str(address["host"]), int(address["port"]))
        for server in servers
        for address in server.addresses
    ]
    for where in (*known, *(one for one in beside if one[1:] not in {x[1:] for x in known})):
        await _greeting(settings.relay, *where, problems, good)


async def _stores(
    settings: Settings, problems: list[str], good: list[str], warnings: list[str]
) -> list[ServerRow]:
    """PostgreSQL and ledger; the PowerMTA servers that are known."""
    from control.plan.compile import compile_generation
    from control.plan.narrow import narrow
    from control.store.schema import schema
    from control.store.sealed import must_open

    try:
        pool = await open_pool(msgspec.structs.replace(settings.database, connections=1))
    except DatabaseRefusedError as error:
        await _ledger(settings, None, problems, good)
        problems.append(f"PostgreSQL: {error}")
        return []
    except (*UNREACHABLE, ValueError) as error:
        await _ledger(settings, None, problems, good)
        where = f"PostgreSQL at {masked(settings.database.url)}"
        problems.append(f"{where} {_silence(error)}; start it, or set database.url right")
        return []
    try:
        stands = await schema(settings.database.url)
        await _ledger(settings, None if stands.problem else pool, problems, good)
        if stands.problem:
            problems.append(f"PostgreSQL: {stands.problem}")
            return []
        if stands.ahead:
            warnings.append(
                f"PostgreSQL is at schema {stands.at}, of a newer version: it only adds to this "
                f"one's ({stands.needs}), which runs on it"
            )
        good.append("PostgreSQL")
        try:
            await must_open(pool, settings.control)
        except RefusedError as error:
            problems.append(str(error))
        servers = await rows.servers(pool)
        warmup, hold = settings.warmup, settings.hold
        # With these settings, which may not be in force yet.
        plan = compile_generation(
            await rows.read(pool), warmup, hold, number=0, created=time.time()
        )
        warnings += narrow(plan.generation)
        warnings += await found_slowly(pool)
        changeable, open_to_us = await kept(pool)
        problems += changeable
        warnings += open_to_us
        if settings.accounting.streams:
            trouble = await found_in_accounting(pool, settings.accounting)
            problems += trouble
            good += [] if trouble else ["accounting"]
        return servers
    finally:
        await pool.close()


async def _ledger(settings: Settings, pool: Any, problems: list[str], good: list[str]) -> None:
    """The server, and (with a `pool`) whether it is the ledger that was opened."""
    client = connect(settings.ledger.url, timeout=settings.ledger.timeout)
    try:
        admin = LedgerAdmin(client, settings.ledger.name)
        found = [f"ledger: {text}" for text in await admin.server_problems()]
        found += await _single(settings, client)
        status = None if pool is None else await ledger_status(pool, admin)
        # One that was never opened is opened by the first `sendgate control`.
        if status is not None and status.state in (LedgerState.LOST, LedgerState.REBUILDING):
            found.append(
                f"ledger {status.name} is {status.state.value}: {status.detail}; "
                "`sendgate ledger status` says what it waits for"
            )
        problems += found
        if not found:
            good.append("ledger")
    except (RedisError, OSError, ValueError) as error:
        where = f"the ledger at {masked(settings.ledger.url)}"
        problems.append(f"{where} {_silence(error)}; start it, or set ledger.url right")
    finally:
        await client.aclose()


async def _single(settings: Settings, client: Redis) -> list[str]:
    """What `ledger.single` says of the server, and the server does not."""
    if not settings.ledger.single:
        return []
    fix = "set the server right, or ledger.single = false"
    try:
        async with tried(client) as connection:
            found = await setup_problems(connection)
    except ResponseError as error:
        found = [f"its set-up cannot be read ({error}), so it stays closed after a restart"]
    return [f"ledger.single: {text}; {fix}" for text in found]


def _silence(error: Exception) -> str:
    """Why nobody answers. redis-py keeps the resolver's error as a cause, and its number."""
    first = error.__cause__ or error
    if isinstance(first, socket.gaierror | UnicodeError) or "Name or service" in str(error):
        return "cannot be resolved: is the name right, and does this machine's DNS know it?"
    return f"does not answer: {said(error)}"


async def _greeting(
    relay: Relay, name: str, host: str, port: int, problems: list[str], good: list[str]
) -> None:
    where = f"PowerMTA {name} at {host}:{port}"
    try:
        tls = client_context(relay) if relay.tls == "implicit" else None
        async with asyncio.timeout(GREETING_WAIT):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
            greeting = (await reader.readline()).decode("ascii", "replace").strip()
            writer.write(b"QUIT\r\n")
            writer.close()
            await writer.wait_closed()
    except (OSError, ValueError) as error:  # a line without an end, a name that cannot be one
        fix = "start it, let this host through, or `sendgate server set`"
        problems.append(f"{where} {_silence(error)}; {fix}")
        return
    if greeting.startswith("220"):
        good.append(where)
    else:
        problems.append(
            f"{where} greets with {greeting[:100]!r}: is that PowerMTA, and may this host connect?"
        )
