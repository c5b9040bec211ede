"""Reads a backup from end to end, and says what is inside."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from control.backup.clienttools import environment, tools_for
from control.backup.entries import DUMP, MANIFEST, SMALL, Begin, End, read
from control.backup.key import Key
from control.backup.manifest import FORM, Manifest
from control.backup.progress import Told, unheard
from control.backup.sealing import BrokenBackupError
from control.problem import RefusedError


class Entry(msgspec.Struct, frozen=True):
    """One thing inside."""

    name: str
    size: int
    sha256: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """A backup whose every octet was read and is what was written."""

    file: str
    size: int
    manifest: Manifest
    entries: list[Entry]
    objects: int
    """Of the schema, by pg_restore's own list of the dump."""


async def verify(file: Path, key: Key, told: Told = unheard) -> Verified:
    """Raises BrokenBackupError, and RefusedError for a file or a program that is not there."""
    with opened(file) as source:
        manifest = manifest_of(source, key)
    tools = await tools_for(manifest.client)
    entries: list[Entry] = []
    size = file.stat().st_size
    with opened(file) as source, tempfile.TemporaryFile() as listed:
        # It reads the list at the dump's beginning, and then no more.
        lister = await asyncio.create_subprocess_exec(
            *(tools.program("pg_restore"), "--list"),
            stdin=asyncio.subprocess.PIPE,
            stdout=listed,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(""),
        )
        try:
            name, listing = "", True
            for part in read(source, key):
                match part:
                    case Begin():
                        name = part.name
                    case End():
                        entries.append(Entry(name, part.size, part.sha256))
                    case bytes() if name == DUMP and listing:
                        listing = await fed(lister, part)
                        told(source.tell(), size)
                    case bytes():
                        told(source.tell(), size)
            await hung_up(lister)
            code = await lister.wait()
        finally:
            if lister.returncode is None:
                lister.kill()
                await lister.wait()
        listed.seek(0)
        objects = sum(not line.startswith(b";") for line in listed)
    if code or not objects:
        raise BrokenBackupError("the dump inside is none that pg_restore can read")
    return Verified(file=str(file), size=size, manifest=manifest, entries=entries, objects=objects)


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Raises RefusedError where it cannot be."""
    try:
        source = file.open("rb")
    except OSError as error:
        raise RefusedError(f"{file}: {error.strerror}", status=400) from error
    with source:
        yield source


def manifest_of(source: BinaryIO, key: Key) -> Manifest:
    """The first entry of a backup; the rest is not read. Raises BrokenBackupError."""
    parts = read(source, key)
    first = next(parts)
    if not isinstance(first, Begin) or first.name != MANIFEST:
        raise BrokenBackupError("it does not begin with what it says of itself")
    text = whole(parts)
    form = msgspec.json.decode(text).get("form")
    if form != FORM:
        raise BrokenBackupError(f"its form is {form}: a newer version of Sendgate made it")
    return msgspec.json.decode(text, type=Manifest)


def whole(parts: Iterator[Begin | bytes | End]) -> bytes:
    """The entry that has begun, in memory. Raises BrokenBackupError for one that is too long."""
    found = bytearray()
    for part in parts:
        if isinstance(part, End):
            return bytes(found)
        if isinstance(part, bytes):
            found += part
        if len(found) > SMALL:
            break
    raise BrokenBackupError("an entry that should be small is not")


async def fed(process: asyncio.subprocess.Process, octets: bytes) -> bool:
    """Whether a program still reads what it is given."""
    assert process.stdin is not None
    try:
        process.stdin.write(octets)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


async def hung_up(process: asyncio.subprocess.Process) -> None:
    """It gets no more."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await process.stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return
