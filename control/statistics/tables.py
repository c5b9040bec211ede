"""The tables of sums: what each is keyed by, and the statements that follow from that. Pure.

Rule: a question is answered by the smallest table that has its keys, and none is the sum of another
at reading: the smallest one of all keys has millions of rows a month.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from control.statistics.counts import COLUMNS
from settings.statements import statements

_SQL = statements(__package__, "questions")

KEYS = ("day", "ip", "tenant", "campaign", "provider", "mailbox")
"""What rows may be asked by."""


class Table(NamedTuple):
    """`keys` in the order of its rows' locks, which answers are sorted by, too: that of the large
    tables' indexes, so that a page reads its own rows and no others; `counted`: columns it has."""

    name: str
    keys: tuple[str, ...]
    counted: tuple[str, ...] = COLUMNS[:-1]
    """What ended is of the IP alone, whose limits it is for."""


IP = Table("statistics_ip", ("day", "ip", "tenant", "provider"), COLUMNS)
CAMPAIGN = Table("statistics_campaign", ("day", "tenant", "campaign", "provider"))
MAILBOX = Table("statistics_mailbox", ("day", "tenant", "mailbox"))
PAIR = Table("statistics_pair", ("day", "ip", "campaign", "tenant"))
DETAIL = Table("statistics_detail", ("day", "ip", "tenant", "campaign", "provider"))
CATEGORY = Table(
    "statistics_category", ("day", "ip", "tenant", "provider", "category"), ("bounced",)
)
assert COLUMNS[-1] == "ended"

_ASKED = (IP, CAMPAIGN, MAILBOX, PAIR, DETAIL)
"""The smallest first."""


def table_of(keys: Collection[str]) -> Table | None:
    """The one that is asked for rows by these, or of those that have one of them alone."""
    return next((table for table in _ASKED if set(keys) <= set(table.keys)), None)


class Part(NamedTuple):
    """Of a table: the first and the last day, and the keys that one value is asked of. Names are of
    `KEYS`, never a client's."""

    first: int
    last: int
    only: Sequence[str]


def order(table: Table, by: Collection[str]) -> tuple[str, ...]:
    """What rows by these are sorted by."""
    return tuple(key for key in table.keys if key in by)


def sums(table: Table, by: Collection[str], part: Part, limit: int, *, behind: bool) -> str:
    """The statement of rows by `by`, whose values are those of `only`, then, for rows `behind` one
    of the page before, its keys in their order."""
    keys = order(table, by)
    listed = ", ".join(keys)
    following = ""
    if behind:
        values = ", ".join(f"${number}" for number, _ in enumerate(keys, len(part.only) + 1))
        following = f" AND ({listed}) > ({values})"
    return _SQL["sums"].format(
        keys="".join(f"{key}, " for key in keys),
        table=table.name,
        first=part.first,
        last=part.last,
        only=_only(part.only) + following,
        grouped=f"GROUP BY {listed} ORDER BY {listed}" if keys else "",
        limit=limit,
    )


def categories(part: Part) -> str:
    """The statement of bounces by category, whose values are those of `only`."""
    return _SQL["categories"].format(first=part.first, last=part.last, only=_only(part.only))


def _only(names: Sequence[str]) -> str:
    return "".join(f" AND {name} = ${number}" for number, name in enumerate(names, 1))


def addition(table: Table) -> str:
    """The statement that adds to rows: an array for each key, then for each column counted,
    which may be empty: it stays."""
    names = (*table.keys, *table.counted)
    types = ["integer" if name == "day" else "text" for name in table.keys]
    types += ["integer"] * len(table.counted)
    return _SQL["add"].format(
        table=table.name,
        values=", ".join((*table.keys, *(f"coalesce({name}, 0)" for name in table.counted))),
        columns=", ".join(names),
        arrays=", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1)),
        order=", ".join(str(number) for number, _ in enumerate(table.keys, 1)),
        keys=", ".join(table.keys),
        added=", ".join(f"{name} = s.{name} + excluded.{name}" for name in table.counted),
    )
