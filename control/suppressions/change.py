"""Writing suppressions: numbered changes, in the caller's transaction.

Rule: the row that numbers them is locked last and kept until the commit; nothing that another
transaction may hold while it waits for that row is locked behind it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from control.problem import RefusedError
from control.store.database import Connection
from policy.suppression import Digests
from settings.statements import statements

SQL = statements(__package__, "suppression")


class Written(NamedTuple):
    """What became of entries."""

    added: int
    changed: int
    """Those that were there, and say something else now."""


class Numbers(NamedTuple):
    """The state, locked."""

    digests: Digests
    change: int
    entries: int


async def locked(connection: Connection) -> Numbers:
    """Until the caller's transaction ends."""
    row = await connection.fetchrow(SQL["lock"])
    return Numbers(Digests(row["key"]), row["change"], row["entries"])


async def write(
    connection: Connection,
    names: Sequence[tuple[str, str]],
    most: int,
    put: Callable[[int, list[bytes], list[int]], Awaitable[Any]],
) -> Written:
    """Entries by (tenant, address); of one that comes twice the last stands. `put(change, digests,
    places)` executes the statement for those at `places`. Raises RefusedError beyond `most`
    entries."""
    if not names:
        return Written(0, 0)
    numbers = await locked(connection)
    digests = numbers.digests
    places: dict[bytes, int] = {}
    for place, (tenant, address) in enumerate(names):
        places[digests.of(tenant, address.encode())] = place
    row = await put(numbers.change, list(places), list(places.values()))
    if row["added"] and numbers.entries + row["added"] > most:
        raise RefusedError(
            f"there are {numbers.entries} suppressions, and suppressions.most allows {most}: "
            "remove some, or raise it (24 octets each in the memory of every gateway node)"
        )
    if row["added"] or row["changed"]:
        await connection.execute(SQL["changed"], numbers.change + len(places), row["added"])
    return Written(row["added"], row["changed"])
