"""Puts the dump of a backup into a database: pg_restore writes it, psql does it.

Owns: the transaction. It empties the schema, takes the dump, doubts what waits, and is committed
only after the backup was read to its seal and whoever asked has said yes; what breaks off in
between (a damaged file, a killed process, a full disk) leaves the database as it was.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from control.backup.clienttools import Tools, environment, public_url
from control.backup.entries import DUMP, Begin, read
from control.backup.key import Key
from control.backup.progress import Told, unheard
from control.backup.verify import fed, hung_up, opened
from control.problem import RefusedError
from settings.statements import statements

_SQL = statements(__package__, "putback")

_DOUBT = "in doubt "
_READY = "restored, not committed"
_DONE = "committed"


class _LoadError(Exception):
    """psql or pg_restore ended."""


async def load(
    tools: Tools,
    url: str,
    file: Path,
    key: Key,
    *,
    doubted_at: int | None,
    before_commit: Callable[[], Awaitable[None]],
    told: Told = unheard,
) -> int:
    """Replace what is in the database by the backup. Returns how many messages were put in doubt,
    as of `doubted_at` (calendar milliseconds; None: none is, for a database nobody sends from).
    `before_commit` may raise, and then nothing was done. Raises RefusedError, BrokenBackupError."""
    with tempfile.TemporaryFile() as errors:
        try:
            async with _begun(tools, url, errors) as psql:
                psql.say(_SQL["begin"], _SQL["empty"])
                await _restored(tools, psql, file, key, told)
                doubt = () if doubted_at is None else (f"\\set now {doubted_at}", _SQL["doubt"])
                psql.say(*doubt, _SQL["ready"])
                lines = await psql.until(_READY)
                await before_commit()
                psql.say(_SQL["commit"])
                await psql.until(_DONE)
        except _LoadError as error:
            errors.seek(0)
            said = errors.read(4096).decode(errors="replace").strip()
            raise RefusedError(
                f"PostgreSQL did not take the backup, and is as it was: {said or error}",
                status=503,
            ) from error
    found = [line.removeprefix(_DOUBT) for line in lines if line.startswith(_DOUBT)]
    return int(found[0]) if found else 0


class _Psql:
    """A session that obeys a pipe, which pg_restore may write to as well."""

    def __init__(self, process: asyncio.subprocess.Process, pipe: int, errors: Any) -> None:
        self.pipe = pipe
        self.errors = errors
        self.process = process

    def say(self, *script: str) -> None:
        """A few lines: they fit into the pipe. Raises _LoadError."""
        try:
            os.write(self.pipe, ("\n".join(script) + "\n").encode())
        except BrokenPipeError as error:
            raise _LoadError("psql ended") from error

    async def until(self, mark: str) -> list[str]:
        """What it prints before the line `mark`. Raises _LoadError."""
        lines: list[str] = []
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode().rstrip("\n"):
            if line == mark:
                return lines
            lines.append(line)
        raise _LoadError(f"psql ended with {await self.process.wait()}")


@contextlib.asynccontextmanager
async def _begun(tools: Tools, url: str, errors: Any) -> AsyncIterator[_Psql]:
    """A session without COMMIT changes nothing."""
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            tools.program("psql"),
            *("--no-psqlrc", "--no-password", f"--dbname={public_url(url)}"),
            stdin=reading,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment(url),
        )
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    try:
        yield _Psql(process, writing, errors)
    finally:
        os.close(writing)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await process.wait()


async def _restored(tools: Tools, psql: _Psql, file: Path, key: Key, told: Told) -> None:
    """pg_restore's script of the dump, into psql. Raises _LoadError, BrokenBackupError."""
    process = await asyncio.create_subprocess_exec(
        tools.program("pg_restore"),
        *("--file=-", "--no-owner", "--no-privileges"),
        stdin=asyncio.subprocess.PIPE,
        stdout=psql.pipe,
        stderr=psql.errors,
        env=environment(""),
    )
    size = file.stat().st_size
    try:
        with opened(file) as source:
            name = ""
            for part in read(source, key):
                if isinstance(part, Begin):
                    name = part.name
                elif isinstance(part, bytes) and name == DUMP:
                    if not await fed(process, part):
                        raise _LoadError("pg_restore stopped reading")
                    told(source.tell(), size)
        await hung_up(process)
        if code := await process.wait():
            raise _LoadError(f"pg_restore ended with {code}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
