"""Makes a backup: one snapshot of PostgreSQL, the ledger's counts, this host's files and secrets.

Order: what is counted for the manifest is counted in the snapshot that pg_dump reads, so that a
drill can compare row for row. Written under a temporary name, read back whole, then renamed: under
the name that was asked for there is never half a backup. Everything runs meanwhile.
"""

import asyncio
import contextlib
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from redis.exceptions import RedisError

from control.backup.belongings import belongings, secret_values
from control.backup.clienttools import Tools, database_of, environment, public_url, tools_for
from control.backup.entries import DUMP, FILES, LEDGER, MANIFEST, SECRETS, Writer
from control.backup.key import Key
from control.backup.ledgercounts import counts
from control.backup.manifest import Manifest
from control.backup.progress import Told, unheard
from control.backup.sealing import CHUNK, BrokenBackupError
from control.backup.verify import Verified, verify
from control.problem import RefusedError
from control.store.database import Connection, allow, open_pool
from control.store.files import sync_directory
from control.store.lastused import fingerprint
from control.store.refusal import NO_SCHEMA, UNREACHABLE, no_database
from control.version import VERSION
from policy.isotime import instant
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.limits import day_of
from settings.model import Settings
from settings.statements import statements

_SQL = statements(__package__, "backup")

LONGEST = 86_400.0
"""Seconds a backup may take."""


async def make(
    settings: Settings,
    file: Path,
    key: Key,
    *,
    config: Path | None = None,
    with_secrets: bool = True,
    told: Told = unheard,
) -> Verified:
    """Write `file`, which must not exist. Raises RefusedError, and nothing is left then."""
    if os.path.lexists(file):
        raise RefusedError(f"{file} exists: a backup replaces nothing; name another", status=400)
    scratch = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        with _created(scratch) as opened:
            await _written(settings, opened, key, config, with_secrets, told)
            opened.flush()
            os.fsync(opened.fileno())
        verified = await verify(scratch, key)
        # A link fails where a rename would replace what somebody has put there meanwhile.
        os.link(scratch, file)
    except BrokenBackupError as error:
        raise RefusedError(f"what was written cannot be read back: {error}", status=503) from error
    except FileExistsError as error:
        raise RefusedError(f"{file} was made by somebody else meanwhile") from error
    finally:
        scratch.unlink(missing_ok=True)
    sync_directory(file.parent)
    return msgspec.structs.replace(verified, file=str(file))


def _created(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RefusedError(f"{path.parent} takes no file: {error.strerror}", status=400) from error
    return os.fdopen(descriptor, "wb")


async def _written(
    settings: Settings,
    file: BinaryIO,
    key: Key,
    config: Path | None,
    with_secrets: bool,
    told: Told,
) -> None:
    url = settings.database.url
    files, absent = belongings(settings, config) if with_secrets else ([], [])
    async with _snapshot(settings) as (connection, snapshot):
        tools = await tools_for(await connection.fetchval(_SQL["version"]))
        day, ledger = await _ledger(settings, connection)
        control = settings.control
        manifest = Manifest(
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            sendgate=VERSION,
            database=database_of(url),
            server=await connection.fetchval(_SQL["version"]),
            client=tools.major,
            schema=await connection.fetchval(_SQL["revision"]),
            tables=dict(await connection.fetch(_SQL["counted"], timeout=LONGEST)),
            waiting=dict(await connection.fetch(_SQL["waiting"], timeout=LONGEST)),
            newest=instant(await connection.fetchval(_SQL["newest"], timeout=LONGEST)),
            secrets=[fingerprint(x) for x in (control.secret, *control.secrets_before) if x],
            hold_keys=[text.partition(":")[0] for text in settings.hold.keys],
            ledger=settings.ledger.name if ledger is not None else "",
            day=day,
            files=[one.path for one in files],
            absent=absent,
            with_secrets=with_secrets,
        )
        writer = Writer(file, key)
        writer.whole(MANIFEST, msgspec.json.encode(manifest))
        if with_secrets:
            writer.whole(SECRETS, secret_values(settings))
        for one in files:
            writer.whole(FILES + one.path.lstrip("/"), one.content, one.mode)
        if ledger is not None:
            writer.whole(LEDGER, ledger)
        size = await connection.fetchval(_SQL["size"])
        await _dump(tools, url, snapshot, writer, lambda done: told(done, size))
        writer.finish()


@contextlib.asynccontextmanager
async def _snapshot(settings: Settings) -> AsyncIterator[tuple[Connection, str]]:
    """A transaction that sees one moment, and the name under which pg_dump sees it, too."""
    database = msgspec.structs.replace(settings.database, connections=1)
    try:
        pool = await open_pool(database)
    except UNREACHABLE as error:
        raise no_database(database.url, error) from error
    try:
        async with pool.acquire() as connection:
            await connection.execute(_SQL["counting"])
            async with connection.transaction(isolation="repeatable_read"):
                await allow(connection, LONGEST)
                await connection.execute(_SQL["stay"])
                yield connection, await connection.fetchval(_SQL["snapshot"])
    except NO_SCHEMA as error:
        raise RefusedError("the database has no schema yet: there is nothing to keep") from error
    finally:
        await pool.close()


async def _ledger(settings: Settings, connection: Connection) -> tuple[int, bytes | None]:
    """(its day, its counts); None where it does not answer: they are rebuilt from accounting."""
    client = connect(settings.ledger.url, timeout=settings.ledger.timeout)
    try:
        admin = LedgerAdmin(client, settings.ledger.name)
        now, _ = await admin.now()
        ips = [row["ip"] for row in await connection.fetch(_SQL["ips"])]
        found = await counts(admin, ips, day_of(now))
        return day_of(now), msgspec.json.encode(found)
    except (RedisError, OSError):
        return 0, None
    finally:
        await client.aclose()


async def _dump(
    tools: Tools, url: str, snapshot: str, writer: Writer, told: Callable[[int], None]
) -> None:
    words = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
    words += ["--no-password", f"--dbname={public_url(url)}"]
    # Standard error into a file: nobody reads it while the dump is read.
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            tools.program("pg_dump"),
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment(url),
            limit=2 * CHUNK,
        )
        try:
            writer.begin(DUMP)
            done = 0
            while piece := await _read(process):
                writer.data(piece)
                done += len(piece)
                told(done)
            writer.end()
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            errors.seek(0)
            said = errors.read(4096).decode(errors="replace").strip()
            raise RefusedError(f"pg_dump failed: {said or f'exit code {code}'}", status=503)


async def _read(process: Any) -> bytes:
    octets: bytes = await process.stdout.read(CHUNK)
    return octets
