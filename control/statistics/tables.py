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
"""What rows may be asked by, in the order they are sorted by: that of the large tables' indexes, so
that a page of them reads its own rows and no others."""


class Table(NamedTuple):
    """`keys` in the order of `KEYS`, and so of its rows' locks; `counted`: columns it has."""

    name: str
    keys: tuple[str, ...]
    counted: tuple[str, ...] = COLUMNS[:-1]
    """What ended is of the IP alone, whose limits it is for."""


IP = Table("statistics_ip", ("day", "ip", "tenant", "provider"), COLUMNS)
CAMPAIGN = Table("statistics_campaign", ("day", "tenant", "campaign", "provider"))
MAILBOX = Table("statistics_mailbox", ("day", "tenant", "mailbox"))
PAIR = Table("statistics_pair", ("day", "ip", "tenant", "campaign"))
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


def sums(table: Table, by: Collection[str], only: Sequence[str]) -> str:
    """The statement of rows by `by`: first and last day, rows, rows passed over, then a value for
    each of `only`. Names are of `KEYS`, never a client's."""
    keys = [key for key in table.keys if key in by]
    listed = ", ".join(keys)
    return _SQL["sums"].format(
        keys="".join(f"{key}, " for key in keys),
        table=table.name,
        only=_only(only, first=5),
        grouped=f"GROUP BY {listed} ORDER BY {listed}" if keys else "",
    )


def categories(only: Sequence[str]) -> str:
    """The statement of bounces by category: first and last day, then a value for each of `only`."""
    return _SQL["categories"].format(only=_only(only, first=3))


def _only(names: Sequence[str], first: int) -> str:
    return "".join(f" AND {name} = ${number}" for number, name in enumerate(names, first))


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
