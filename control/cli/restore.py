"""`sendgate restore`: straight at PostgreSQL and the ledger, for the rest is stopped then."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from control.ledger.restore import Restored
from control.ledger.restore import restore as put_in_doubt
from control.problem import RefusedError
from control.store.database import open_pool
from control.store.refusal import NO_SCHEMA, UNREACHABLE, no_database
from control.terminal.configuration import Config, configuration
from control.terminal.show import as_json, line_of, say
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.number import agree, count
from settings.model import Settings


def restore(
    context: typer.Context,
    yes: Annotated[
        bool, typer.Option("--yes", help="A backup was put back; gateways are stopped.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")] = False,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
    log: Annotated[
        list[Path], typer.Option(help="A gateway's log since the dump; lists what is lost.")
    ] = [],  # noqa: B006 - typer's way
    config: Config = None,
) -> None:
    """After a backup of PostgreSQL was put back, before gateways start: doubt what waited."""
    if not yes and not dry_run:
        raise RefusedError(
            "this closes the ledger and puts every waiting message in doubt until PowerMTA's "
            "accounting was read; --dry-run counts them, --yes does it"
        )
    line = line_of(context)
    done = asyncio.run(_restore(configuration(line, config), reason, dry_run, log))
    if line.json:
        as_json(done)
        return
    waiting = ", ".join(f"{count} {state}" for state, count in done.waiting.items()) or "nothing"
    say(f"waiting: {waiting}")
    for sentence in done.unknown.sentences():
        say(sentence)
    if done.dry_run:
        say(f"would put {count(done.in_doubt, 'message')} in doubt and close ledger {done.ledger}")
    else:
        say(
            f"{count(done.in_doubt, 'message')} {agree(done.in_doubt, 'is', 'are')} in "
            f"doubt, ledger {done.ledger} is closed"
        )
        say("start control and the gateways: both are settled by PowerMTA's accounting")


async def _restore(settings: Settings, reason: str, dry: bool, logs: list[Path]) -> Restored:
    # Its imports take longer than most commands take to run.

    try:
        pool = await open_pool(msgspec.structs.replace(settings.database, connections=1))
    except UNREACHABLE as error:
        raise no_database(settings.database.url, error) from error
    client = connect(settings.ledger.url, timeout=settings.ledger.timeout)
    try:
        admin = LedgerAdmin(client, settings.ledger.name)
        return await put_in_doubt(
            pool, admin, who="command line", reason=reason, dry=dry, logs=logs
        )
    except NO_SCHEMA as error:
        raise RefusedError("the schema is not this version's: run `sendgate migrate`") from error
    finally:
        await client.aclose()
        await pool.close()
