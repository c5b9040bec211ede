"""Questions to the sums: which table has them, and its answer.

Rule: there is a table for each combination that is asked often, so that an answer reads as few rows
as it can; what no table has is refused with what may be asked.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from control.problem import bad, quoted
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
from control.values.ip import IpText, normal_ip
from control.values.query import FoundText
from control.values.time import DayText
from control.values.wanted import meant
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
_KEY = f" *(?:{'|'.join(KEYS)}) *"
KeysText = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_KEY}(?:,{_KEY})*$"})]


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
    tenant: Annotated[FoundText | None, meant("Only of this tenant.")] = None
    ip: Annotated[IpText | None, meant("Only of this IP.")] = None
    campaign: Annotated[FoundText | None, meant("Only of this campaign.")] = None
    provider: Annotated[FoundText | None, meant("Only to this provider.")] = None
    mailbox: Annotated[FoundText | None, meant("Only of this mailbox.")] = None
    limit: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None,
        meant("At most so many rows, as far as statistics.rows allows; 1000 by default."),
    ] = None
    offset: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=100_000_000)],
        meant("Rows to pass over: the `more` of the page before."),
    ] = 0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Days since 1970, both inclusive."""

    first: int
    last: int
    by: tuple[str, ...]
    only: Mapping[str, str] = {}
    """Key to the one value that counts."""
    limit: int = 1_000
    offset: int = 0


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
    by = tuple(dict.fromkeys(one.strip() for one in (asked.by or "ip").split(",")))
    if unknown := [one for one in by if one not in KEYS]:
        raise bad("by", f"{quoted(unknown[0])} is none of {', '.join(KEYS)}")
    given = {key: getattr(asked, key) for key in FILTERS}
    only = {key: value for key, value in given.items() if value is not None}
    if only.get("ip"):
        only["ip"] = address_of(normal_ip(only["ip"]))
    found = Question(first=first, last=last, by=by, only=only, limit=limit, offset=asked.offset)
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
        raise bad(name, f"{quoted(text)} is not a date such as 2026-03-01") from None
