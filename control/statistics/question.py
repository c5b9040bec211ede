"""Questions to the sums: which table has them, and its answer.

Rule: there is a table for each combination that is asked often, so that an answer reads as few rows
as it can; what no table has is refused with what may be asked.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from control.problem import bad
from control.statistics.owner import address_of
from control.statistics.row import (
    EPOCH,
    SUMS,
    Bounces,
    Counts,
    Row,
    StatisticsPage,
    counts_of,
    date_of,
)
from policy.bounce import CATEGORIES
from settings.statements import statements

_SQL = statements(__package__, "questions")

KEYS = ("day", "tenant", "ip", "campaign", "provider", "mailbox")
"""What rows may be asked by, in the order they are sorted by."""
FILTERS = KEYS[1:]
DAYS_MOST = 400
WEEK = 7

_TABLES = {
    "by_ip": ("tenant", "ip", "provider"),
    "by_campaign": ("tenant", "campaign", "provider"),
    "by_mailbox": ("tenant", "mailbox"),
    "by_detail": ("tenant", "ip", "campaign", "provider"),
}
"""Statement to its columns behind the day, which are also its filters; the smallest table first."""
_CATEGORY = ("tenant", "ip", "provider")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Days since 1970, both inclusive."""

    first: int
    last: int
    by: tuple[str, ...]
    only: Mapping[str, str] = {}
    """Key to the one value that counts."""
    limit: int = 1_000
    offset: int = 0


def question(query: Mapping[str, str], today: int, *, limit: int, offset: int) -> Question:
    """From the parameters of a request. Without any: the last seven days by IP. Raises
    RefusedError that names the parameter."""
    last = _day(query["to"], "to") if "to" in query else today
    first = _day(query["from"], "from") if "from" in query else last - WEEK + 1
    if first > last:
        raise bad("from", f"{date_of(first)} is after `to`, {date_of(last)}")
    if last - first >= DAYS_MOST:
        raise bad("from", f"{last - first + 1} days are too many: ask for at most {DAYS_MOST}")
    by = tuple(dict.fromkeys(one.strip() for one in query.get("by", "ip").split(",")))
    if unknown := [one for one in by if one not in KEYS]:
        raise bad("by", f"{unknown[0]!r} is none of {', '.join(KEYS)}")
    only = {key: query[key] for key in FILTERS if key in query}
    if only.get("ip"):
        address = address_of(only["ip"])
        if not address:
            raise bad("ip", f"{only['ip']!r} is not an IP address")
        only["ip"] = address
    if wrong := [key for key, text in only.items() if "\0" in text]:
        raise bad(wrong[0], "a NUL is in no name")
    found = Question(first=first, last=last, by=by, only=only, limit=limit, offset=offset)
    if _table({*by, *only}) is None:
        raise bad(
            "by",
            "a mailbox is counted by day and tenant alone: ask without ip, provider and campaign",
        )
    return found


async def answer(pool: Any, asked: Question) -> StatisticsPage:
    """`asked` from `question`."""
    rows = await _rows(pool, asked, asked.by, asked.limit + 1, asked.offset)
    total = await _rows(pool, asked, (), 1, 0)
    categories = []
    if asked.only.keys() <= set(_CATEGORY):
        given = [asked.only.get(key) for key in _CATEGORY]
        categories = await pool.fetch(_SQL["by_category"], asked.first, asked.last, *given)
    shown = rows[: asked.limit]
    return StatisticsPage(
        first=date_of(asked.first),
        last=date_of(asked.last),
        by=list(asked.by),
        rows=[_row(one, asked.by) for one in shown],
        more=asked.offset + asked.limit if len(rows) > asked.limit else None,
        total=msgspec.convert(counts_of(total[0] if total else _NOTHING), Counts),
        categories=[
            Bounces(
                category=one["category"],
                kind=CATEGORIES.get(one["category"], CATEGORIES["other"]).kind,
                bounced=one["bounced"],
            )
            for one in categories
        ],
    )


async def _rows(
    pool: Any, asked: Question, by: tuple[str, ...], limit: int, offset: int
) -> list[Any]:
    table = _table({*by, *asked.only})
    assert table is not None
    given = [asked.only.get(key) for key in _TABLES[table]]
    if table == "by_detail":
        # An index finds one IP's or one campaign's; which, has to stand in the statement.
        table += next((f"_of_{key}" for key in ("ip", "campaign") if key in asked.only), "")
    found: list[Any] = await pool.fetch(
        _SQL[table], asked.first, asked.last, list(by), limit, offset, *given
    )
    return found


def _table(keys: set[str]) -> str | None:
    wanted = keys - {"day"}
    return next((name for name, columns in _TABLES.items() if wanted <= set(columns)), None)


def _row(record: Any, by: tuple[str, ...]) -> Row:
    keys = {key: date_of(record[key]) if key == "day" else record[key] for key in by}
    return msgspec.convert(keys | counts_of(record), Row)


_NOTHING = dict.fromkeys(SUMS, 0)


def _day(text: str, name: str) -> int:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return (datetime.date.fromisoformat(text) - EPOCH).days
    except ValueError:
        raise bad(name, f"{text!r} is not a date such as 2026-03-01") from None
