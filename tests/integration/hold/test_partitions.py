"""Statements that name rows read the partitions of those rows, however many days there are."""

import json
from typing import Any

import asyncpg
import pytest

from gateway.hold.settle.firsts import fates
from gateway.message.ids import Ids
from policy.limits import DAY
from settings.statements import statements
from tests.support.hold.database import execute

TODAY = 20_000
DAYS = range(TODAY - 59, TODAY + 1)


def id_of(day: int, process: bytes = b"abcdef") -> str:
    return Ids(process).message(day * DAY / 1000 + 3600)


@pytest.fixture
async def link(hold_url: str) -> Any:
    connection = await asyncpg.connect(hold_url)
    try:
        for day in DAYS:
            await connection.execute("SELECT hold_partition($1)", day)
        yield connection
    finally:
        await connection.close()


async def put(url: str, day: int, name: str, state: str = "done") -> None:
    await execute(
        url,
        "INSERT INTO held (bucket, id, body, tenant, pool, provider, mailbox, bulk, recipient, "
        "notify, orcpt, campaign, key, message_id, size, arrived, state, since, reason, detail, "
        "until, attempt, ending) VALUES ($1, $2, $2, 't', 'p', 'x', '', true, '', '', '', '', '', "
        "'', 1, 1, $3, 1, '', '', 0, 1, $4)",
        day,
        name,
        state,
        "relayed" if state == "done" else "",
    )


def executed(node: dict[str, Any]) -> list[str]:
    """Partitions that were read."""
    mine = [node["Relation Name"]] if node.get("Actual Loops") and "Relation Name" in node else []
    return mine + [name for inner in node.get("Plans", ()) for name in executed(inner)]


async def test_the_first_ones_are_looked_for_on_their_days(link: Any, hold_url: str) -> None:
    names = [id_of(day) for day in (TODAY, TODAY - 30)]
    await put(hold_url, TODAY, names[0])
    text = await link.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) "
        + statements("gateway.hold.settle", "settle")["first_rows"],
        [TODAY, TODAY - 30],
        names,
    )
    read = executed(json.loads(text)[0]["Plan"])
    assert sorted(read) == [f"held_{TODAY - 30}", f"held_{TODAY}"]


async def test_one_that_came_on_another_day_than_its_id_says_is_found(
    link: Any, hold_url: str
) -> None:
    """The machine's clock and the ledger's, or a test's calendar."""
    near, far, odd, none = id_of(TODAY), id_of(TODAY - 9), "not-minted", id_of(TODAY, b"uvwxyz")
    await put(hold_url, TODAY - 1, near, "held")
    await put(hold_url, TODAY - 40, far)
    await put(hold_url, TODAY - 50, odd, "doubt")
    assert await fates(link, [near, far, odd, none], 5.0) == {
        near: ("held", ""),
        far: ("done", "relayed"),
        odd: ("doubt", ""),
    }


async def test_what_is_not_over_is_never_forgotten(link: Any) -> None:
    for state in ("waiting", "running", "done", "failed"):
        await link.execute(
            "INSERT INTO hold_request (at, who, action, tenant, state, finished) VALUES "
            "(to_timestamp(1), 'me', 'drop', 'acme', $1, "
            "CASE WHEN $1 IN ('done', 'failed') THEN to_timestamp(2) END)",
            state,
        )
    gone = await link.fetchrow(
        statements("gateway.hold.upkeep", "upkeep")["old_events"], 3_000, 100
    )
    assert tuple(gone) == (0, 2)
    left = await link.fetch("SELECT state FROM hold_request ORDER BY id")
    assert [row["state"] for row in left] == ["waiting", "running"]
