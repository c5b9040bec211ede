"""Versions of PowerMTA servers' configurations: written once, offered as often as somebody wants
them, forgotten beyond a bound.

Rule: what is written here is committed before an agent is told of it, on a connection of its own:
the change that it is for may be rolled back yet. The keys it names are kept with it, sealed as they
are in the rows, so that it can be offered before its domains are there and after they went.
"""

import zlib
from collections.abc import Mapping

import msgspec

from control.keyset import Column, Keyset
from control.pmta.fileset import FileSet
from control.pmta.known import Fact, key_names
from control.problem import RefusedError
from control.store.database import Connection
from control.values.part import Part, Slice
from settings.statements import statements

_SQL = statements(__package__, "version")

LONGEST_REASON = 500
"""Characters of why one was withdrawn."""
NEWEST_KEPT = 5
"""The least that a bound may leave of each server."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One server's configuration."""

    version: int
    server: str
    digest: str
    fileset: FileSet
    keys: tuple[str, ...]
    """DKIM key files that it names."""
    generation: int
    """Of the plan it was made for."""
    who: str
    why: str
    at: int
    """Calendar milliseconds."""


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One that is to be written."""

    server: str
    fileset: FileSet
    sealed: Mapping[str, bytes]
    """Key file to sealed key: of those it names the ones that may be new."""
    generation: int
    who: str
    why: str
    at: int


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A version, without its files."""

    version: int
    server: str
    digest: str
    generation: int
    """Of the plan it was made for; 0: of none, for it was withdrawn."""
    who: str
    why: str
    at: int
    """Calendar milliseconds."""
    withdrawn: str
    """Why it was taken back before it was any plan's; '': it was not."""
    instead: str
    """Why its server is to run it although the plan says something else; '': it does not."""
    desired: bool
    """Whether its server is to run it."""
    running: bool
    """Whether its server runs it, as the agent said."""


def is_of(version: Version | None, files: FileSet, sealed: Mapping[str, bytes]) -> bool:
    """Whether a version has these files, with these keys among them: none of its own is new."""
    if version is None or version.digest != files.digest:
        return False
    return not set(version.keys) & sealed.keys()


def renewed(sealed: Mapping[str, bytes], before: Version | None) -> frozenset[Fact]:
    """Keys that a version names and that are others by now, by their files."""
    names = set(before.keys if before else ()) & sealed.keys()
    parts = [name.removesuffix(".pem").rpartition(".") for name in names]
    return frozenset(("domain-key", "", selector, domain) for domain, _, selector in parts)


async def write(connection: Connection, new: NewVersion, kept: int) -> int:
    """Its number. In a transaction; older ones beyond `kept` go. Raises RefusedError."""
    keys = key_names(new.fileset)
    for name in keys:
        if name in new.sealed:
            await connection.execute(_SQL["add_key"], name, new.sealed[name])
    packed = zlib.compress(msgspec.json.encode(new.fileset.files))
    number: int = await connection.fetchval(
        _SQL["add"],
        *(new.server, new.fileset.digest, packed, keys),
        *(new.generation, new.who, new.why, new.at),
    )
    if await connection.fetch(_SQL["forget"], new.server, max(kept, NEWEST_KEPT)):
        await connection.execute(_SQL["forget_keys"])
    return number


async def withdraw(connection: Connection, version: int, why: str) -> None:
    """It is of no plan: the change that it was for is gone, or PowerMTA did not take it."""
    await connection.execute(_SQL["withdraw"], version, why[:LONGEST_REASON])


async def read(connection: Connection, server: str, version: int) -> Version | None:
    """With its files; None: there is none of that number, or none any more."""
    row = await connection.fetchrow(_SQL["one"], server, version)
    if row is None:
        return None
    files = msgspec.json.decode(zlib.decompress(row["files"]), type=dict[str, str])
    named = {name: row[name] for name in ("version", "server", "digest", "generation")}
    named |= {name: row[name] for name in ("who", "why", "at")}
    return Version(fileset=FileSet(files), keys=tuple(row["keys"]), **named)


async def sealed_keys(connection: Connection, names: list[str]) -> dict[str, bytes]:
    """Key file to sealed key. Raises RefusedError for one that is not there."""
    found = {row["name"]: row["sealed"] for row in await connection.fetch(_SQL["keys"], names)}
    if lost := [name for name in names if name not in found]:
        raise RefusedError(
            f"the DKIM key {lost[0]} of this version is gone (it was replaced): choose a newer one"
        )
    return found


LIST = Keyset(
    _SQL["list"],
    {"version": (Column(name="version", sql="v.version", kind="bigint"),)},
    given=1,
)


async def versions(connection: Connection, server: str | None, part: Part) -> Slice[VersionView]:
    """None: of all servers. Raises RefusedError."""
    rows, after = await LIST.rows(connection, part, server)
    return Slice([msgspec.convert(dict(row), VersionView) for row in rows], after)
