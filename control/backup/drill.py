"""Proves a backup: put back into a database made for that, looked at, and dropped.

What is looked at: every table has the rows that were counted in the snapshot; the schema is one
that this version brings up to date; what is sealed is opened by the secrets of the backup itself.
"""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from control.backup.clienttools import beside, tools_for
from control.backup.entries import SECRETS, Begin, read
from control.backup.key import Key
from control.backup.loading import load
from control.backup.make import LONGEST
from control.backup.manifest import Manifest
from control.backup.progress import Told, unheard
from control.backup.sealing import BrokenBackupError
from control.backup.verify import Verified, opened, verify, whole
from control.problem import RefusedError
from control.store.database import Connection, allow, open_pool
from control.store.keyring import Keyring
from control.store.lastused import held_with
from control.store.refusal import UNREACHABLE, no_database
from control.store.sealed import counted
from settings.control import Control
from settings.model import Database
from settings.statements import statements

_SQL = statements(__package__, "backup")


class Drilled(msgspec.Struct, frozen=True, kw_only=True):
    """What the drill found."""

    verified: Verified
    seconds: float
    """From the first octet read to the last look."""
    rows: int
    sealed: int
    """Secrets that were opened."""
    schema: str
    """Revision it was brought to."""
    problems: list[str]
    """Empty: it can be relied on."""


async def drill(
    file: Path,
    key: Key,
    database: Database,
    control: Control,
    hold_keys: Sequence[str],
    told: Told = unheard,
) -> Drilled:
    """In a scratch database beside that of `database`. `control` and `hold_keys`: secrets for a
    backup that has none. Raises RefusedError, BrokenBackupError."""
    from control.store.migrate import migrate

    verified = await verify(file, key)
    manifest = verified.manifest
    began = time.monotonic()
    async with _scratch(database) as scratch:
        async with _connected(scratch) as connection:
            server = await connection.fetchval(_SQL["version"])
        await load(
            await tools_for(max(manifest.client, server)),
            scratch.url,
            file,
            key,
            doubted_at=None,
            before_commit=_nothing,
            told=told,
        )
        async with _connected(scratch) as connection:
            problems = await _differences(connection, manifest)
        _, schema = await migrate(scratch.url)
        ring, keys = _secrets(file, key, control, hold_keys)
        async with _connected(scratch) as connection:
            sealing = await counted(connection, ring)
            problems += [f"opened by none of its secrets: {what}" for what in sealing.unopened]
            problems += [
                f"{count} held messages: hold.keys of the backup lacks key {name}"
                for name, count in (await held_with(connection)).items()
                if name and name not in keys
            ]
    return Drilled(
        verified=verified,
        seconds=round(time.monotonic() - began, 1),
        rows=manifest.rows,
        sealed=sealing.newest + sealing.stale,
        schema=schema,
        problems=problems,
    )


async def _nothing() -> None:
    """Nobody sends from a scratch database."""


@asynccontextmanager
async def _scratch(database: Database) -> AsyncIterator[Database]:
    """A database of our own, which goes whatever happens to it."""
    name = f"sendgate_drill_{secrets.token_hex(4)}"
    async with _connected(database) as connection:
        if not await connection.fetchval(_SQL["may_create"]):
            raise RefusedError(
                "the role may not create databases, and a drill needs one",
                fix="ALTER ROLE … CREATEDB, or --scratch URL of a server where it may",
            )
        await connection.execute(await connection.fetchval(_SQL["create"], name))
        try:
            yield msgspec.structs.replace(database, url=beside(database.url, name))
        finally:
            await connection.execute(await connection.fetchval(_SQL["drop"], name))


@asynccontextmanager
async def _connected(database: Database) -> AsyncIterator[Connection]:
    try:
        pool = await open_pool(msgspec.structs.replace(database, connections=1))
    except UNREACHABLE as error:
        raise no_database(database.url, error) from error
    try:
        async with pool.acquire() as connection:
            yield connection
    finally:
        await pool.close()


async def _differences(connection: Connection, manifest: Manifest) -> list[str]:
    await connection.execute(_SQL["counting"])
    async with connection.transaction():
        await allow(connection, LONGEST)
        found = dict(await connection.fetch(_SQL["counted"], timeout=LONGEST))
    return [
        f"table {name} has {found.get(name, 'no')} rows, and {rows} were dumped"
        for name, rows in manifest.tables.items()
        if found.get(name) != rows
    ]


def _secrets(
    file: Path, key: Key, control: Control, hold_keys: Sequence[str]
) -> tuple[Keyring, set[str]]:
    """Those of the backup, or those given. Raises BrokenBackupError."""
    secret, before = control.secret, tuple(control.secrets_before)
    with opened(file) as source:
        parts = read(source, key)
        for part in parts:
            if isinstance(part, Begin) and part.name == SECRETS:
                kept = msgspec.json.decode(whole(parts))
                secret, before = kept["control.secret"], tuple(kept["control.secrets_before"])
                hold_keys = kept["hold.keys"]
                break
    try:
        ring = Keyring(secret, before)
    except ValueError as error:
        raise BrokenBackupError(f"control.secret of the backup is none: {error}") from error
    return ring, {text.partition(":")[0] for text in hold_keys}
