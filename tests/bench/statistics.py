"""What statistics cost: `python -m tests.bench.statistics [--seconds N] [--days N]
[--only door|questions]`.

First records through the door as posted batches bring them (one receipt and one end a recipient,
batches of 2,000, everything the door does but parsing), with and without statistics; then questions
to sums of 30 days × 100 IPs × 12 providers × 100 campaigns. In a PostgreSQL of its own with fsync
on. Records a second are by the clock, which shows who else is at work here; the processor time of a
record does not.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import uvloop

from control.accounting.door import Batch, Consumer, Door
from control.accounting.fact import Fact
from control.statistics.question import StatisticsQuery, answer, question
from control.statistics.row import date_of
from control.statistics.taking import Statistics
from control.store.migrate import migrate
from policy.identity import parse_envelope
from policy.limits import DAY
from policy.provider import PROVIDERS
from tests.support.servers.parts import SharedParts

BATCH = 2_000
TODAY = 20_000
IPS, CAMPAIGNS, TENANTS = 100, 100, 1
DOMAINS = ("gmail.com", "yahoo.com", "outlook.com", "gmx.de", "free.fr", "orange.fr", "icloud.com")


def facts(start: int, count: int) -> list[Fact]:
    """Records of one batch: half receipts, then an end each; IPs and campaigns take turns."""
    found = []
    for number in range(start, start + count):
        message, end = divmod(number, 2)
        kind = "r" if not end else "b" if message % 25 == 0 else "t" if message % 10 == 0 else "d"
        envid = f"{TODAY}-m{message:012d}.1"
        fact = Fact(
            *(kind, TODAY * DAY + number % 80_000_000, 0),
            *(f"user{message}@{DOMAINS[message % len(DOMAINS)]}", "news@acme.test", envid),
            *("5.1.1" if kind == "b" else "", "smtp;250 ok", "bad-mailbox" if kind == "b" else ""),
            *("", "", f"v{message % IPS}", "", f"c{message % CAMPAIGNS}", "", "", "", "", ""),
        )
        fact.envelope = parse_envelope(envid)
        fact.names = ("type", "rcpt", "envId")
        fact.fields = [kind, fact.rcpt, envid]
        fact.identity = number.to_bytes(16, "big")
        found.append(fact)
    return found


def _of(process: int) -> float:
    """CPU seconds of a process, by the scheduler's own count (Linux)."""
    path = Path(f"/proc/{process}/schedstat")
    return int(path.read_text(encoding="ascii").split()[0]) / 1e9 if path.exists() else 0.0


class Run(NamedTuple):
    """Of the door: records, seconds of the clock, and of the processor here and in PostgreSQL."""

    records: int
    clock: float
    here: float
    server: float


async def through(pool: Any, consumers: tuple[Consumer, ...], seconds: float, start: int) -> Run:
    """The door at work for so many seconds. Making the records is not counted."""
    door = Door(consumers, kept=7_776_000.0)
    now = TODAY * DAY + DAY - 1
    count, clock, here = 0, 0.0, 0.0
    async with pool.acquire() as connection:
        server = await connection.fetchval("SELECT pg_backend_pid()")
        before = _of(server)
        while clock < seconds:
            batch = Batch("webhook", "pmta1", "bench", facts(start + count, BATCH), ())
            began, used = time.perf_counter(), time.process_time()
            async with connection.transaction():
                await door.book(connection, batch, now)
            clock += time.perf_counter() - began
            here += time.process_time() - used
            count += BATCH
        return Run(count, clock, here, _of(server) - before)


async def fill(pool: Any, days: int) -> None:
    """Sums of so many days, all keys together: one row for each day, IP, campaign and provider."""
    for table, keys in (
        ("ip", "day, tenant, ip, provider"),
        ("campaign", "day, tenant, campaign, provider"),
        ("pair", "day, tenant, ip, campaign"),
        ("detail", "day, tenant, ip, campaign, provider"),
    ):
        columns = "relayed, delivered, bounced, bounced_address, deferred"
        await pool.execute(
            f"INSERT INTO statistics_{table} ({keys}, {columns}) "
            f"SELECT {keys}, sum(100), sum(90), sum(4), sum(3), sum(20) FROM ("
            " SELECT day, 't' || i % $3 AS tenant, '192.0.2.' || i AS ip, 'c' || c AS campaign,"
            " p AS provider FROM generate_series($1::int - $2::int + 1, $1::int) AS day,"
            f" generate_series(0, {IPS - 1}) AS i, generate_series(0, {CAMPAIGNS - 1}) AS c,"
            f" unnest($4::text[]) AS p) s GROUP BY {keys}",
            *(TODAY, days, TENANTS, list(PROVIDERS[:12])),
        )
    await pool.execute("VACUUM ANALYZE")


async def ask(pool: Any, query: dict[str, str], rounds: int = 100) -> tuple[float, float, int]:
    """(milliseconds at the median, at the 99th percentile, rows) of one question."""
    taken = []
    rows = 0
    for _ in range(rounds):
        began = time.perf_counter()
        page = await answer(pool, question(msgspec.convert(query, StatisticsQuery, strict=False), TODAY, 1_000))
        taken.append((time.perf_counter() - began) * 1000)
        rows = len(page.rows)
    taken.sort()
    return taken[rounds // 2], taken[int(rounds * 0.99)], rows


async def door(pool: Any, seconds: float) -> None:
    """Records through it, printed."""
    start = 0
    for name, consumers in (("door alone", ()), ("with statistics", (Statistics(1_000),))):
        run = await through(pool, consumers, seconds, start)
        start += run.records
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}: {run.records:,} records, {run.records / run.clock:,.0f}/s by the clock; "
            f"processor: {run.here / run.records * 1e6:.0f} µs a record here, "
            f"{run.server / run.records * 1e6:.0f} µs in PostgreSQL; {memory:.0f} MB",
            flush=True,
        )


async def answers(pool: Any, days: int) -> None:
    """Questions, printed."""
    await fill(pool, days)
    first = date_of(TODAY - days + 1)
    for query in (
        {"by": "ip"},
        {"by": "day,ip"},
        {"by": "ip,provider"},
        {"by": "day,provider", "tenant": "t0"},
        {"by": "campaign"},
        {"by": "campaign,provider"},
        {"by": "day,ip,provider"},
        {"by": "campaign", "ip": "192.0.2.7"},
        {"by": "ip,provider", "campaign": "c7"},
        {"by": "ip,campaign"},
        {"by": "tenant,ip,campaign"},
        {"by": "ip,campaign", "tenant": "t0"},
        {"by": "day,ip,campaign"},
        {"by": "ip,campaign", "offset": "9000"},
        {"by": "ip,campaign", "with": "total"},
        {"by": "day,ip", "with": "total,categories"},
        {"by": "ip,campaign,provider"},
        {"by": "day,ip,campaign,provider"},
        {"by": "campaign,provider", "ip": "192.0.2.7"},
    ):
        median, worst, rows = await ask(pool, query | {"from": first})
        shown = "&".join(f"{key}={value}" for key, value in query.items())
        print(f"{shown}: {median:.0f} ms, p99 {worst:.0f} ms, {rows} rows", flush=True)


async def measure(url: str, what: str, seconds: float, days: int) -> None:
    """What is asked for."""
    pool = await asyncpg.create_pool(url, min_size=2, max_size=2)
    if what in ("all", "door"):
        await door(pool, seconds)
    if what in ("all", "questions"):
        await answers(pool, days)
    await pool.close()


def main() -> None:
    """Read the options, measure."""
    parser = argparse.ArgumentParser(prog="statistics", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run of the door")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--only", choices=("all", "door", "questions"), default="all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sendgate-statistics-") as folder:
        parts = SharedParts(Path(folder))
        try:
            url = uvloop.run(parts.create_database("statistics", migrate))
            uvloop.run(measure(url, options.only, options.seconds, options.days))
        finally:
            parts.close()


if __name__ == "__main__":
    main()
