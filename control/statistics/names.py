"""Campaigns and mailboxes have names of their own up to a bound for each tenant and day; the rest
counts as `other`.

Rule: a name that was let in stays in, whatever order records come in. Only who holds `_LOCK` lets
names in, so that two at once keep to the bound together.
"""

from collections.abc import Iterable
from typing import NamedTuple

from control.store.database import Connection
from settings.statements import statements

_SQL = statements(__package__, "statistics")

OTHER = "other"

CAMPAIGN, MAILBOX = "campaign", "mailbox"

_LOCK = 0x5E4D_6A7E_0011
"""PostgreSQL advisory lock of whoever lets names in."""

_FULL_MOST = 100_000


class Name(NamedTuple):
    """Of a day and a tenant."""

    day: int
    tenant: str
    kind: str
    name: str


class Names:
    """`most`: of a kind for each tenant and day."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._full: set[tuple[int, str, str]] = set()

    async def admitted(self, connection: Connection, wanted: Iterable[Name]) -> set[Name]:
        """Those of `wanted` that count under their own names, now and from now on."""
        asked = sorted({one for one in wanted if one.name})
        known = await self._known(connection, asked)
        new = [one for one in asked if one not in known and one[:3] not in self._full]
        if not new:
            return known
        await connection.execute(_SQL["lock_names"], _LOCK)
        # Others may have let them in meanwhile.
        known |= await self._known(connection, new)
        new = [one for one in new if one not in known]
        await self._look_for_full(connection, {one[:3] for one in new})
        if new := [one for one in new if one[:3] not in self._full]:
            rows = await connection.fetch(_SQL["admit_names"], *_columns(new), self._most)
            known |= {Name(*row) for row in rows}
        return known

    async def _known(self, connection: Connection, asked: list[Name]) -> set[Name]:
        if not asked:
            return set()
        return {Name(*row) for row in await connection.fetch(_SQL["names"], *_columns(asked))}

    async def _look_for_full(
        self, connection: Connection, groups: set[tuple[int, str, str]]
    ) -> None:
        """Before this transaction lets names in, which may yet be taken back."""
        if not groups:
            return
        if len(self._full) > _FULL_MOST:
            self._full.clear()
        columns = (list(column) for column in zip(*sorted(groups), strict=True))
        rows = await connection.fetch(_SQL["full_names"], *columns, self._most)
        self._full |= {(row["day"], row["tenant"], row["kind"]) for row in rows}


def _columns(names: list[Name]) -> tuple[list[object], ...]:
    return tuple(list(column) for column in zip(*names, strict=True))
