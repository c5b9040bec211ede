"""`sendgate backup …`: made, looked at, tried and taken apart, on a host that has the settings."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

from control.backup import drill as drilling
from control.backup.keeping import abandoned, name_for, newest, superseded
from control.backup.key import new_key, read_key
from control.backup.make import make as made_into
from control.backup.sealing import BrokenBackupError
from control.backup.taken import take_out
from control.backup.verify import Verified
from control.backup.verify import verify as verified_of
from control.problem import RefusedError
from control.store.files import write_private
from control.terminal.configuration import Config, configuration, configuration_file
from control.terminal.percent import percent
from control.terminal.show import as_json, line_of, say, table
from policy.number import count

DEFAULT = "make"


class _MakesByDefault(TyperGroup):
    """`sendgate backup DIR` is `sendgate backup make DIR`."""

    default = DEFAULT

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """A first word that is no command is for the default one."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_MakesByDefault,
    no_args_is_help=True,
    help="Backups of PostgreSQL, secrets and the ledger's counts. `sendgate backup FILE|DIR` makes "
    "one; `sendgate restore FILE` puts it back.",
)

KeyFile = Annotated[
    Path, typer.Option("--key", help="File with the key (`backup key`), or with a passphrase.")
]
Backup = Annotated[
    Path, typer.Argument(metavar="FILE|DIR", help="The backup, or a folder: the newest in it.")
]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup, and those that went for it."""

    made: Verified
    removed: list[str]


@app.command()
def make(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="A new file, or a folder.")],
    key: KeyFile,
    keep: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="In the folder: the newest so many stay.")
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="In the folder: so many days of them.")
    ] = None,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="PostgreSQL and ledger alone.")
    ] = False,
    config: Config = None,
) -> None:
    """Back up while everything runs: sealed, read back, and only then under its name."""
    line, now = line_of(context), datetime.now(UTC)
    if not target.is_dir() and (keep or keep_days):
        raise RefusedError(
            f"--keep and --keep-days are for a folder, and {target} is none", status=400
        )
    file = name_for(now, target) if target.is_dir() else target
    with percent("backup") as told:
        found = asyncio.run(
            made_into(
                configuration(line, config),
                file.absolute(),
                read_key(key),
                config=configuration_file(line, config),
                with_secrets=not without_secrets,
                told=told,
            )
        )
    removed: list[str] = []
    if target.is_dir():
        going = superseded(target, file, now, keep=keep, days=keep_days)
        for old in (*going, *abandoned(target, now)):
            old.unlink()
            removed.append(str(old))
    if line.json:
        as_json(Made(made=found, removed=removed))
        return
    _say(found)
    for name in removed:
        say(f"removed {name}")


@app.command()
def verify(context: typer.Context, file: Backup, key: KeyFile) -> None:
    """Read a backup to its end, and say what is inside. Needs no database."""
    file = newest(file)
    with percent("verify") as told:
        found = _whole(file, lambda: asyncio.run(verified_of(file, read_key(key), told)))
    if line_of(context).json:
        as_json(found)
    else:
        _say(found)


@app.command()
def drill(
    context: typer.Context,
    file: Backup,
    key: KeyFile,
    scratch: Annotated[
        str, typer.Option(help="URL of a PostgreSQL to do it in; else that of the settings.")
    ] = "",
    config: Config = None,
) -> None:
    """Restore into a scratch database, compare row for row, open what is sealed, and drop it."""
    line, file = line_of(context), newest(file)
    settings = configuration(line, config)
    database = settings.database
    if scratch:
        database = msgspec.structs.replace(database, url=scratch)
    with percent("drill") as told:
        found = _whole(
            file,
            lambda: asyncio.run(
                drilling.drill(
                    file, read_key(key), database, settings.control, settings.hold.keys, told
                )
            ),
        )
    if line.json:
        as_json(found)
    else:
        say(
            f"restored in {found.seconds:g} s: {count(found.rows, 'row')} as they were dumped, "
            f"{count(found.sealed, 'secret')} opened, schema {found.schema}"
            if not found.problems
            else f"restored in {found.seconds:g} s, and cannot be relied on:"
        )
        for text in found.problems:
            say(text)
    if found.problems:
        raise typer.Exit(1)


@app.command()
def files(
    context: typer.Context,
    file: Backup,
    key: KeyFile,
    to: Annotated[Path, typer.Option(help="A folder of its own, empty or new.")],
) -> None:
    """Take files and secrets out of a backup, readable for you alone; nothing live is replaced."""
    file = newest(file)
    written = _whole(file, lambda: take_out(file, read_key(key), to))
    if line_of(context).json:
        as_json({"written": written})
        return
    for name in written:
        say(name)
    if not written:
        say("it was made without secrets")


@app.command("key")
def key_(context: typer.Context, file: Annotated[Path, typer.Argument(help="A new file.")]) -> None:
    """Make a random key. Keep a copy apart from the backups: without it they are lost."""
    if file.exists():
        raise RefusedError(f"{file} exists: a key replaces nothing", status=400)
    write_private(file, new_key() + "\n")
    if line_of(context).json:
        as_json({"key": str(file)})
    else:
        say(f"{file}: keep a copy apart from the backups; without it they are lost")


def _whole(file: Path, do: Callable[[], Any]) -> Any:
    try:
        return do()
    except BrokenBackupError as error:
        raise RefusedError(f"{file}: {error}") from error


def _say(found: Verified) -> None:
    of = found.manifest
    say(f"{found.file}: {found.size} octets, read back whole")
    say(
        f"made {of.made} by Sendgate {of.sendgate}: database {of.database} of PostgreSQL "
        f"{of.server}, schema {of.schema}, {count(len(of.tables), 'table')}, "
        f"{count(of.rows, 'row')}"
    )
    waiting = ", ".join(f"{number} {state}" for state, number in of.waiting.items())
    say(f"waiting mail: {waiting or 'none'}; the newest held message arrived {of.newest}")
    table(
        ("inside", "octets", "SHA-256"),
        ((one.name, one.size, one.sha256) for one in found.entries),
    )
    if not of.ledger:
        say("without the ledger's counts: it did not answer; they are rebuilt from accounting")
    if not of.with_secrets:
        say("without secrets: keep /etc/sendgate apart")
    for text in of.absent:
        say(f"not inside: {text}")
