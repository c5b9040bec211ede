"""Statistics in pages: each question's pages are the sums of the whole rows, and read no others."""

import itertools
import json
import random
from collections import Counter, defaultdict
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from control.parts import Parts
from control.statistics.question import StatisticsQuery, answer, question
from control.statistics.row import SUMS, StatisticsPage
from control.statistics.tables import PAIR, Part, sums, table_of
from policy.isotime import date_of
from policy.limits import day_of
from tests.support.control.core import Api
from tests.support.control.records import book, record

PATH = "/api/v2/statistics"
CAMPAIGNS = ("", "spring", 'a "quoted", long one', "Ärger", "\x01")
KEYS = ("day", "ip", "tenant", "campaign", "provider")


@pytest.fixture
async def today(core: Parts) -> int:
    return day_of(await core.calendar())


@pytest.fixture
async def whole(core: Parts, today: int) -> list[Any]:
    """Every row of all keys: IPs of three tenants, one of which had another's IP before."""
    for vmta, tenant, ip, since in (
        *(("v1", "acme", "192.0.2.1", 100), ("v1", "globex", "192.0.2.1", 2)),
        *(("v2", "globex", "192.0.2.2", 100), ("v3", "other", "192.0.2.3", 100)),
    ):
        await core.pool.execute(
            "INSERT INTO vmta_ip (vmta, ip, server, tenant, created, removed) "
            "VALUES ($1, $2, '', $3, to_timestamp($4::bigint * 86400), now())",
            *(vmta, ip, tenant, today - since),
        )
    chance = random.Random(14)
    records = [
        record(
            chance.choice("rrdbtf"),
            f"abcdefgh{number:03}",
            day=today - chance.randrange(6),
            vmta=chance.choice(("v1", "v1", "v2", "v3")),
            jobId=chance.choice(CAMPAIGNS),
            rcpt=f"user{number}@{chance.choice(('gmail.com', 'yahoo.com', 'x.test'))}",
            bounceCat=chance.choice(("bad-mailbox", "spam-related", "quota-issues")),
        )
        for number in range(600)
    ]
    for at in range(0, len(records), 150):
        await book(core, *records[at : at + 150])
    found: list[Any] = await core.pool.fetch("SELECT * FROM statistics_detail")
    assert {row["tenant"] for row in found if row["ip"] == "192.0.2.1"} == {"acme", "globex"}
    return found


ONLY: tuple[dict[str, str], ...] = (
    *({}, {"tenant": "globex"}, {"campaign": "spring"}, {"ip": "192.0.2.1"}),
    {"tenant": "acme", "campaign": "Ärger"},
)


async def test_pages_of_every_question_are_the_sums_of_the_whole_rows(
    core: Parts, whole: list[Any], today: int
) -> None:
    asked = 0
    for count in range(1, len(KEYS) + 1):
        for by, only in itertools.product(itertools.combinations(KEYS, count), ONLY):
            expected = _summed(whole, by, only)
            found: list[Any] = []
            after: str | None = None
            while True:
                page = await _page(core, today, by, only, len(expected) // 3 + 1, after)
                found += page.rows
                if page.more is None:
                    break
                after = page.more
            keys = [tuple(getattr(row, key) for key in by) for row in found]
            sums_of = [[getattr(row, name) for name in SUMS] for row in found]
            assert len(keys) == len(set(keys)), (by, only)
            assert dict(zip(keys, sums_of, strict=True)) == expected, (by, only)
            asked += 1
    assert asked == 31 * len(ONLY)


async def _page(
    core: Parts,
    today: int,
    by: tuple[str, ...],
    only: dict[str, str],
    limit: int,
    after: str | None,
) -> StatisticsPage:
    query = {"by": ",".join(by), "from": date_of(today - 5), "limit": limit, "after": after, **only}
    return await answer(core.pool, question(msgspec.convert(query, StatisticsQuery), today, 10_000))


def _summed(rows: list[Any], by: tuple[str, ...], only: dict[str, str]) -> dict[Any, list[int]]:
    """`SUMS` by key. What PowerMTA took is at least what ended, in each row of the table that is
    asked."""
    table = table_of({*by, *only})
    assert table is not None
    raw: dict[Any, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if all(row[key] == value for key, value in only.items()):
            counted = {name: row[name] for name in (*SUMS, "late")}
            raw[tuple((key, row[key]) for key in table.keys)].update(counted)
    found: dict[Any, Counter[str]] = defaultdict(Counter)
    for keys, counted in raw.items():
        named = dict(keys)
        ended = counted["delivered"] + counted["bounced"] - counted["late"] + counted["expired"]
        shown = {**counted, "relayed": max(counted["relayed"], ended)}
        found[tuple(date_of(named[key]) if key == "day" else named[key] for key in by)].update(
            shown
        )
    return {keys: [counted[name] for name in SUMS] for keys, counted in found.items()}


async def test_a_page_of_campaigns_by_ip_reads_its_own_rows_and_no_others(core: Parts) -> None:
    """However often it is asked: PostgreSQL keeps the plan of a statement seen five times."""
    await core.pool.execute(
        "INSERT INTO statistics_pair (day, ip, campaign, tenant, relayed) "
        "SELECT d, '192.0.2.' || i, 'c' || c, 't' || i % 3, 10 FROM generate_series(1, 20) AS d, "
        "generate_series(1, 40) AS i, generate_series(1, 40) AS c ORDER BY d, i"
    )
    await core.pool.execute("ANALYZE statistics_pair")
    for by, only, behind in (
        *((("ip", "campaign"), {}, ()), (("ip", "campaign"), {}, ("192.0.2.30", "c5"))),
        (("ip", "campaign"), {"tenant": "t1"}, ()),
        (("ip", "tenant", "campaign"), {}, ("192.0.2.30", "c5", "t0")),
    ):
        statement = sums(PAIR, by, Part(1, 20, tuple(only)), 51, behind=bool(behind))
        async with core.pool.acquire() as connection:
            for _ in range(7):
                assert len(await connection.fetch(statement, *only.values(), *behind)) == 51
            kinds = ", ".join(["text"] * (len(only) + len(behind)))
            values = ", ".join(f"'{value}'" for value in (*only.values(), *behind))
            named = f"({kinds})" if kinds else ""
            await connection.execute(f"PREPARE page {named} AS {statement}")
            given = f"({values})" if values else ""
            for _ in range(7):
                plan = await connection.fetchval(
                    f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE page {given}"
                )
            await connection.execute("DEALLOCATE page")
        read = _scanned(json.loads(plan)[0]["Plan"])
        # A tenant's are a third.
        assert read <= 51 * 20 * (4 if only else 1) + 20, (by, only, behind, plan)


def _scanned(node: dict[str, Any]) -> int:
    """Rows that its scans read."""
    own = 0
    if "Scan" in node["Node Type"]:
        rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        own = round(rows * node["Actual Loops"])
    return own + sum(_scanned(child) for child in node.get("Plans", []))


@pytest.mark.parametrize(
    "after",
    ["x", "[]", '["192.0.2.1"]', "[1,2]", '["192.0.2.1", "\\u0000"]', '["192.0.2.1", "\\ud800"]'],
)
async def test_what_no_page_ended_at_is_refused(api: Api, after: str) -> None:
    status, problem = await api("GET", f"{PATH}?by=ip,campaign&after={quote(after)}")
    assert status == 400
    assert [e["field"] for e in problem["errors"]] == ["after"]


async def test_a_day_that_is_none_is_where_no_page_ended(api: Api) -> None:
    ended = quote('["2026-02-30"]')
    status, problem = await api("GET", f"{PATH}?by=day&after={ended}")
    assert status == 400
    assert [e["field"] for e in problem["errors"]] == ["after"]
