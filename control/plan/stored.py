"""Generations in PostgreSQL: a manifest each, and the parts that they share.

Rules: a generation's parts are written in the transaction that stores its manifest, which follows
the last one's (`PUBLISH_LOCK`). A part is let go when no generation that is kept names it. One of a
version before stands whole.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from control.store.database import Connection
from policy.division import Division, read_manifest
from policy.plan import Generation, decode
from policy.unpacking import Bodies, Unpacking
from settings.statements import statements

_SQL = statements(__package__, "stored")

FORGOTTEN_AT_ONCE = 20
"""Old plans that one change deletes, under the lock of all publishers. A change adds one, so that
what a version without a bound left, or a bound that was lowered, is gone after a while; all at once
it was thousands of rows, of a version before 7 MB each with 100,000 mailboxes, in one statement of
`database.timeout`."""
PARTS_FORGOTTEN_AT_ONCE = 1_000
"""A change lets go of a few; one that replaced a plan, of some hundreds."""


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """What PostgreSQL says of its last generation."""

    number: int
    digest: str
    """SHA-256 of the encoded generation."""
    basis: str | None
    """What it was made with (`latest.basis_of`); None: by a version that did not say."""
    pmta_digest: str | None
    """SHA-256 of PowerMTA's configuration for it; None: by a version that did not say."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a generation."""

    number: int
    created: datetime
    who: str
    basis: str
    pmta_digest: str


async def store(connection: Connection, division: Division, stamp: Stamp, kept: int) -> Last:
    """As the last one; all but the newest `kept` are forgotten, a few at a time."""
    number, digests = stamp.number, list(division.parts)
    last = Last(
        number=number,
        digest=hashlib.sha256(division.manifest).hexdigest(),
        basis=stamp.basis,
        pmta_digest=stamp.pmta_digest,
    )
    await connection.execute(_SQL["let_go"], number, digests)
    await connection.execute(_SQL["take_back"], digests)
    lacking = [row["d"] for row in await connection.fetch(_SQL["lacking"], digests)]
    if lacking:
        bodies = [division.parts[digest].body() for digest in lacking]
        await connection.execute(_SQL["put"], lacking, bodies)
    await connection.execute(
        _SQL["add"],
        *(number, division.manifest, last.digest, stamp.created, stamp.who),
        *(last.basis, last.pmta_digest),
    )
    await connection.execute(_SQL["forget"], kept, FORGOTTEN_AT_ONCE)
    await connection.execute(_SQL["forget_parts"], PARTS_FORGOTTEN_AT_ONCE)
    return last


async def parts_of(connection: Connection, digests: Sequence[bytes]) -> dict[bytes, bytes]:
    """Bodies of those that are there."""
    rows = await connection.fetch(_SQL["bodies"], digests) if digests else []
    return {row["digest"]: row["body"] for row in rows}


async def bodies_of(
    connection: Connection, encoded: bytes, unpacking: Unpacking
) -> dict[bytes, bytes]:
    """Of the parts of a stored generation that `unpacking` does not know. Raises
    BadGenerationError."""
    manifest = read_manifest(encoded)
    return await parts_of(connection, [] if manifest is None else unpacking.lacking(manifest))


def joined(encoded: bytes, bodies: Bodies, unpacking: Unpacking) -> Generation:
    """The generation. Raises BadGenerationError."""
    manifest = read_manifest(encoded)
    return decode(encoded) if manifest is None else unpacking.at_once(manifest, bodies)


async def put_together(
    connection: Connection, encoded: bytes, unpacking: Unpacking | None = None
) -> Generation:
    """A stored generation; parts that `unpacking` knows are not read. Raises BadGenerationError."""
    unpacking = Unpacking() if unpacking is None else unpacking
    return joined(encoded, await bodies_of(connection, encoded, unpacking), unpacking)
