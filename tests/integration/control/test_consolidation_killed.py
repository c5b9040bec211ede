"""A process that consolidates is killed again and again, wherever it is: totals are right."""

import asyncio
import sys
from typing import Any

import msgspec

from control.consolidation.consolidation import Consolidation
from control.parts import Parts
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.daycounts import day_counts
from policy.ledger.known import Counters
from policy.limits import day_of

IPS = [f"192.0.2.{n}" for n in range(1, 201)]
KILLS = 8
DAYS = 12

CHILD = """
import asyncio, sys, msgspec
from control.consolidation.consolidation import Consolidation
from control.store.database import open_pool
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from settings.model import Database

async def main(database, ledger, finished, now):
    pool = await open_pool(Database(url=database, connections=2))
    admin = LedgerAdmin(connect(ledger, timeout=2.0))
    nights = Consolidation(pool, admin, bounce_after=388_800.0)
    print("ready", flush=True)
    while True:
        for back in range(12, 0, -1):
            await nights.night(finished - back + 1, now)
        print("round", flush=True)

asyncio.run(main(*msgspec.json.decode(sys.argv[1])))
"""


async def totals(pool: Any) -> list[tuple[int, int, int]]:
    rows = await pool.fetch(
        "SELECT day, count(*) AS rows, sum(sent) AS sent FROM ledger_day GROUP BY day ORDER BY day"
    )
    return [(row["day"], row["rows"], row["sent"]) for row in rows]


async def test_kill_9_anywhere_in_consolidation_and_totals_are_right(core: Parts) -> None:
    now = await core.calendar()
    today = day_of(now)
    # IPs that accounting has named, for the table of VirtualMTAs knows none here.
    days = range(today - DAYS, today)
    await core.pool.execute(
        "INSERT INTO statistics_ip (day, tenant, ip, provider) "
        "SELECT d, 'acme', ip, 'gmail' FROM unnest($1::integer[]) d, unnest($2::text[]) ip",
        list(days),
        IPS,
    )
    counters = [
        Counters(ip, day, 7 + n, {"gmail": 4 + n, "yahoo": 3})
        for day in days
        for n, ip in enumerate(IPS)
    ]
    await core.admin.raise_counters(counters)
    expected = [(day, 2 * len(IPS), sum(7 + n for n in range(len(IPS)))) for day in days]
    asked = msgspec.json.encode(
        (core.settings.database.url, core.settings.ledger.url, today - 1, now)
    ).decode()
    cut = 0
    for kill in range(KILLS):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, asked, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
        # Nothing is waited for: each time it is killed a little further on.
        try:
            async with asyncio.timeout(0.02 + 0.05 * kill):
                await child.stdout.readline()
        except TimeoutError:
            cut += 1
        child.kill()
        await child.wait()
        for one in await totals(core.pool):
            assert one in expected, "half of a day was committed"
    assert cut >= KILLS // 2, "it was killed between its rounds only"
    admin = LedgerAdmin(connect(core.settings.ledger.url, timeout=2.0))
    nights = Consolidation(core.pool, admin, bounce_after=388_800.0)
    for day in days:
        await nights.day(day, now)
    assert await totals(core.pool) == expected
    left = await day_counts(core.admin.client, core.admin.root, IPS, days)
    assert {day for _, day in left} == {day for day in days if day >= today - 7}
    await admin.client.aclose()
