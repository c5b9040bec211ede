"""`sendgate restore`: straight at PostgreSQL and the ledger, for the rest is stopped then.

With a file it puts a backup of `sendgate backup` back; without one it does what has to follow when
PostgreSQL was put back by other means."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from control.backup.key import read_key
from control.backup.putback import put_back
from control.backup.sealing import BrokenBackupError
from control.ledger.restore import Restored
from control.ledger.restore import restore as put_in_doubt
from control.problem import RefusedError
from control.store.database import open_pool
from control.store.refusal import NO_SCHEMA, UNREACHABLE, no_database
from control.terminal.configuration import Config, configuration
from control.terminal.percent import percent
from control.terminal.show import as_json, line_of, say
from control.terminal.usage import misused
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.number import agree, count
from settings.model import Settings


def restore(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A backup, to be put back first.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="File with the key of the backup.")
    ] = None,
    replace: Annotated[
        str, typer.Option(help="The database's name: what is in it may go for the backup.")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; gateways and control are stopped.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing.")] = False,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
    log: Annotated[
        list[Path], typer.Option(help="A gateway's log since the dump; lists what is lost.")
    ] = [],  # noqa: B006 - typer's way
    config: Config = None,
) -> None:
    """Put a backup back (FILE), or only doubt what waited, after PostgreSQL was put back by other
    means; before gateways start."""
    if file is not None:
        if key is None:
            raise misused("--key FILE is needed: what the backup was sealed with")
        _whole(context, file, key, replace, yes, dry_run, reason, log, config)
        return
    if key is not None or replace:
        raise misused("--key and --replace are for a backup: name its file")
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
    say(f"waiting: {_states(done.waiting)}")
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


def _states(waiting: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in waiting.items()) or "nothing"


def _whole(
    context: typer.Context,
    file: Path,
    key: Path,
    replace: str,
    yes: bool,
    dry_run: bool,
    reason: str,
    log: list[Path],
    config: Path | None,
) -> None:
    if not yes and not dry_run:
        raise RefusedError(
            "this replaces the database by the backup, closes the ledger and puts every waiting "
            "message in doubt until PowerMTA's accounting was read; --dry-run says what would be "
            "replaced, --yes does it"
        )
    line = line_of(context)
    if file.is_dir():
        raise misused(f"{file} is a folder: name the backup that is meant")
    try:
        with percent("restore") as told:
            done = asyncio.run(
                put_back(
                    configuration(line, config),
                    file,
                    read_key(key),
                    who="command line",
                    replace=replace,
                    reason=reason,
                    dry=dry_run,
                    logs=log,
                    told=told,
                )
            )
    except BrokenBackupError as error:
        raise RefusedError(f"{file}: {error}; nothing was changed") from error
    if line.json:
        as_json(done)
        return
    of = done.manifest
    here = f"{count(done.replaced.objects, 'table')}, waiting: {_states(done.replaced.waiting)}"
    verb = "would replace" if done.dry_run else "replaced"
    say(f"{verb} database {done.database} ({here if done.replaced.objects else 'empty'})")
    say(f"by the backup of {of.made}: {count(of.rows, 'row')}, waiting: {_states(of.waiting)}")
    for text in done.replaced.at_work:
        say(f"first it has to be stopped: {text}")
    if done.restored is None:
        say(f"would put {count(done.in_doubt, 'message')} in doubt and close the ledger")
        return
    for sentence in done.restored.unknown.sentences():
        say(sentence)
    say(
        f"{count(done.in_doubt, 'message')} in doubt, ledger {done.restored.ledger} is closed, "
        f"{count(done.counters, 'count')} of it raised, schema {done.schema}"
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
