"""Questions to the sums: which table has them, and its answer.

Rule: there is a table for each combination that is asked often, so that an answer reads as few rows
as it can (`control.statistics.tables`); what no table has is refused with what may be asked. What
is beside the rows, their total and the categories, is read where it is asked for.
"""

import datetime
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

import msgspec

from control.problem import bad, quoted
from control.statistics.owner import address_of
from control.statistics.row import (
    EPOCH,
    Bounces,
    Counts,
    Row,
    StatisticsPage,
    counts_of,
)
from control.statistics.tables import CATEGORY, KEYS, Part, categories, order, sums, table_of
from control.values.ip import IpText, normal_ip
from control.values.query import FoundText
from control.values.time import DayText
from control.values.wanted import meant
from policy.bounce import CATEGORIES
from policy.isotime import date_of

FILTERS = tuple(key for key in KEYS if key != "day")
BESIDE = ("total", "categories")
"""What may be asked for beside rows."""
DAYS_MOST = 400
WEEK = 7

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KEY = f" *(?:{'|'.join(KEYS)}) *"
KeysText = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_KEY}(?:,{_KEY})*$"})]

_ASIDE = f" *(?:{'|'.join(BESIDE)}) *"
BesideText = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": f"^{_ASIDE}(?:,{_ASIDE})*$"})
]

BehindText = Annotated[str, msgspec.Meta(min_length=2, max_length=4_000)]
"""Longer than any name is, with its signs escaped."""


class StatisticsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for; without any, the last seven days by IP."""

    first: Annotated[
        DayText | None, meant("The first day, such as 2026-03-01; six before the last.")
    ] = msgspec.field(default=None, name="from")
    last: Annotated[DayText | None, meant("The last day; today.")] = msgspec.field(
        default=None, name="to"
    )
    by: Annotated[
        KeysText | None,
        meant(f"What rows are of, with commas between: {', '.join(KEYS)}; ip by default."),
    ] = None
    beside: Annotated[
        BesideText | None,
        meant(f"What to tell beside the rows, with commas between: {', '.join(BESIDE)}."),
    ] = msgspec.field(default=None, name="with")
    tenant: Annotated[FoundText | None, meant("Only of this tenant.")] = None
    ip: Annotated[IpText | None, meant("Only of this IP.")] = None
    campaign: Annotated[FoundText | None, meant("Only of this campaign.")] = None
    provider: Annotated[FoundText | None, meant("Only to this provider.")] = None
    mailbox: Annotated[FoundText | None, meant("Only of this mailbox.")] = None
    limit: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None,
        meant("At most so many rows, as far as statistics.rows allows; 1000 by default."),
    ] = None
    after: Annotated[
        BehindText | None, meant("Where the page before ended: its `more`; the first by default.")
    ] = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Days since 1970, both inclusive."""

    first: int
    last: int
    by: tuple[str, ...]
    only: Mapping[str, str] = {}
    """Key to the one value that counts."""
    beside: tuple[str, ...] = ()
    """Of `BESIDE`."""
    limit: int = 1_000
    after: tuple[str | int, ...] = ()
    """Keys of the last row of the page before, in the order of rows."""


def question(asked: StatisticsQuery, today: int, most: int) -> Question:
    """From the parameters of a request; `most`: rows of one answer. Raises RefusedError
    that names the parameter."""
    limit = min(1_000, most) if asked.limit is None else asked.limit
    if limit > most:
        raise bad(
            "limit",
            f"{limit} rows are more than one answer has here: at most {most} (statistics.rows)",
        )
    last = today if asked.last is None else _day(asked.last, "to")
    first = last - WEEK + 1 if asked.first is None else _day(asked.first, "from")
    if first > last:
        raise bad("from", f"{date_of(first)} is after `to`, {date_of(last)}")
    if last - first >= DAYS_MOST:
        raise bad("from", f"{last - first + 1} days are too many: ask for at most {DAYS_MOST}")
    by = _listed("by", asked.by or "ip", KEYS)
    beside = _listed("with", asked.beside, BESIDE) if asked.beside else ()
    given = {key: getattr(asked, key) for key in FILTERS}
    only = {key: value for key, value in given.items() if value is not None}
    if only.get("ip"):
        only["ip"] = address_of(normal_ip(only["ip"]))
    table = table_of({*by, *only})
    if table is None:
        raise bad(
            "by",
            "a mailbox is counted by day and tenant alone: ask without ip, provider and campaign",
        )
    if "categories" in beside and not only.keys() <= set(CATEGORY.keys):
        raise bad("with", "categories are counted by tenant, ip and provider alone")
    return Question(
        first=first,
        last=last,
        by=by,
        only=only,
        beside=beside,
        limit=limit,
        after=() if asked.after is None else _behind(asked.after, order(table, by)),
    )


async def answer(pool: Any, asked: Question) -> StatisticsPage:
    """`asked` from `question`."""
    rows = await _rows(pool, asked, asked.by, asked.limit + 1, asked.after)
    total = None
    if "total" in asked.beside:
        (sums_of_all,) = await _rows(pool, asked, (), 1, ())
        total = msgspec.convert(counts_of(sums_of_all), Counts)
    bounces = None
    if "categories" in asked.beside:
        found = await pool.fetch(categories(_part(asked)), *asked.only.values())
        bounces = [
            Bounces(
                category=one["category"],
                kind=CATEGORIES.get(one["category"], CATEGORIES["other"]).kind,
                bounced=one["bounced"],
            )
            for one in found
        ]
    shown = rows[: asked.limit]
    return StatisticsPage(
        first=date_of(asked.first),
        last=date_of(asked.last),
        by=list(asked.by),
        rows=[_row(one, asked.by) for one in shown],
        more=_ended(shown[-1], asked) if len(rows) > asked.limit else None,
        total=total,
        categories=bounces,
    )


async def _rows(
    pool: Any, asked: Question, by: tuple[str, ...], limit: int, after: tuple[str | int, ...]
) -> list[Any]:
    table = table_of({*by, *asked.only})
    assert table is not None
    found: list[Any] = await pool.fetch(
        sums(table, by, _part(asked), limit, behind=bool(after)), *asked.only.values(), *after
    )
    return found


def _part(asked: Question) -> Part:
    return Part(asked.first, asked.last, tuple(asked.only))


def _ended(record: Any, asked: Question) -> str:
    """Of a page's last row, what `after` takes."""
    table = table_of({*asked.by, *asked.only})
    assert table is not None
    keys = [_shown(key, record) for key in order(table, asked.by)]
    return msgspec.json.encode(keys).decode()


def _behind(text: str, keys: tuple[str, ...]) -> tuple[str | int, ...]:
    """Raises RefusedError for what no page of these ends at."""
    try:
        values = msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        values = []
    if len(values) != len(keys) or "\0" in "".join(values):
        raise bad("after", f"{quoted(text)} is not the `more` of a page by {', '.join(keys)}")
    pairs = zip(keys, values, strict=True)
    return tuple(_day(value, "after") if key == "day" else value for key, value in pairs)


def _row(record: Any, by: tuple[str, ...]) -> Row:
    return msgspec.convert({key: _shown(key, record) for key in by} | counts_of(record), Row)


def _shown(key: str, record: Any) -> str:
    value: Any = record[key]
    return date_of(value) if key == "day" else str(value)


def _listed(name: str, text: str, known: Collection[str]) -> tuple[str, ...]:
    """Each once. Raises RefusedError for one that is not known."""
    found = tuple(dict.fromkeys(one.strip() for one in text.split(",")))
    if unknown := [one for one in found if one not in known]:
        raise bad(name, f"{quoted(unknown[0])} is none of {', '.join(known)}")
    return found


def _day(text: str, name: str) -> int:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return (datetime.date.fromisoformat(text) - EPOCH).days
    except ValueError:
        raise bad(name, f"{quoted(text)} is not a date such as 2026-03-01") from None
