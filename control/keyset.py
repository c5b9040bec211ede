"""A statement that reads a part of a list, in each order that the list can be asked for.

The statement says `{after}` among its conditions and `{order}` behind `ORDER BY`; both are filled
here, once, at import, from the columns below: never from what somebody asked. The key is compared
as a row, `(created, name) > ($4, $5)`, which an index over these columns answers from where it
begins; parts in the middle cost what the first one does.
"""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from control.problem import bad
from control.store.database import Connection
from control.values.part import Key, Part, Value

_VALUE = {
    "text": "${}::text",
    "bigint": "${}::bigint",
    "timestamptz": "${}::timestamptz",
    "cidr": "${}::text::cidr",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = (1 << 63) - 1
_LATEST = 8 * 10**15
"""Microseconds since 1970 that a cursor may name: some years before PostgreSQL and Python end."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a key; it is never null."""

    name: str
    """What it is called among what the statement selects."""
    sql: str
    """What it is called inside."""
    kind: Literal["text", "bigint", "timestamptz", "cidr"] = "text"


class Keyset:
    """Reads parts. `orders`: what a list may be sorted by, to the columns of that, the last of
    which make the key unique. `given`: how many parameters the statement has of its own; the limit
    comes behind them, then the key."""

    def __init__(
        self, statement: str, orders: Mapping[str, tuple[Column, ...]], *, given: int
    ) -> None:
        self._orders = orders
        self._statements = {
            (field, backwards, begun): _filled(statement, columns, backwards, begun, given)
            for field, columns in orders.items()
            for backwards in (False, True)
            for begun in (False, True)
        }

    @property
    def fields(self) -> list[str]:
        """What the list may be sorted by."""
        return list(self._orders)

    def names(self, field: str) -> list[str]:
        """Of the columns of a key, as they are selected."""
        return [column.name for column in self._orders[field]]

    def asked(self, part: Part, *given: Any) -> tuple[Any, ...]:
        """(the statement, its parameters); it reads one row more than the part has. Raises
        RefusedError."""
        key = () if part.after is None else _read(self._orders[part.field], part.after)
        statement = self._statements[part.field, part.backwards, part.after is not None]
        return (statement, *given, part.limit + 1, *key)

    async def rows(
        self, connection: Connection, part: Part, *given: Any
    ) -> tuple[list[Any], Key | None]:
        """(the rows of a part, the key of its last one where more come). Raises RefusedError."""
        rows = await connection.fetch(*self.asked(part, *given))
        if len(rows) <= part.limit:
            return rows, None
        last = rows[part.limit - 1]
        return rows[: part.limit], tuple(_written(last[name]) for name in self.names(part.field))


def _filled(
    statement: str, columns: tuple[Column, ...], backwards: bool, begun: bool, given: int
) -> str:
    way, sign = (" DESC", "<") if backwards else ("", ">")
    order = ", ".join(f"{column.sql}{way}" for column in columns)
    after = "true"
    if begun:
        names = ", ".join(column.sql for column in columns)
        values = ", ".join(_VALUE[c.kind].format(given + 2 + n) for n, c in enumerate(columns))
        after = f"({names}) {sign} ({values})"
    return (
        statement.replace("{after}", after)
        .replace("{order}", order)
        .replace("{limit}", f"${given + 1}")
    )


def _is_network(column: Column, text: str) -> bool:
    if column.kind != "cidr":
        return False
    try:
        return bool(ipaddress.ip_network(text))
    except ValueError:
        return False


def _written(value: Any) -> Value:
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(microseconds=1)
    found: Value = value
    return found


def _read(columns: tuple[Column, ...], key: Key) -> list[Any]:
    """As PostgreSQL takes it. Raises RefusedError."""
    found: list[Any] = []
    for column, value in zip(columns, key, strict=False):
        if isinstance(value, str):
            fits = column.kind == "text" or _is_network(column, value)
        else:
            bound = {"bigint": _MOST, "timestamptz": _LATEST}.get(column.kind, -1)
            fits = isinstance(value, int) and abs(value) <= bound
        if not fits:
            break
        if isinstance(value, int) and column.kind == "timestamptz":
            found.append(_EPOCH + timedelta(microseconds=value))
        else:
            found.append(value)
    if len(found) != len(columns) or len(key) != len(columns):
        raise bad("after", "it is no cursor of this list: give one as its `Link` has it")
    return found
