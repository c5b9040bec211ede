"""What statistics cost: `python -m tests.bench.statistics [--seconds N] [--days N]
[--only door|questions]`.

First records through the door as posted batches bring them (one receipt and one end a recipient,
batches of 2,000, everything the door does but parsing), with and without statistics; then bodies of
CSV that wait in the inbox, read and taken in with everything that follows from them; then questions
to sums of 30 days × 100 IPs × 12 providers × 100 campaigns. In a PostgreSQL of its own with fsync
on. Records a second are by the clock, which shows who else is at work here; the processor time of a
record does not.
"""

import argparse
import asyncio
import contextlib
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
from control.intake import open_intake
from control.statistics.question import StatisticsQuery, answer, question
from control.statistics.taking import Statistics
from control.store.migrate import migrate
from policy.identity import parse_envelope
from policy.isotime import date_of
from policy.limits import DAY
from policy.provider import PROVIDERS
from settings.model import Settings
from tests.support.servers.parts import SharedParts

BATCH = 2_000
BATCHES = 60
"""That make the rows of a day."""
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


def body(start: int, count: int) -> bytes:
    """Those records as PowerMTA posts them, with the columns of a usual configuration."""
    lines = [
        "type,timeLogged,timeQueued,orig,rcpt,dsnStatus,dsnDiag,dsnMta,bounceCat,vmta,jobId,envId"
    ]
    for fact in facts(start, count):
        logged = fact.at // 1000
        lines.append(
            f"{fact.kind},{logged},{logged},{fact.orig},{fact.rcpt},{fact.status},{fact.diagnosis},"
            f"mx.example (203.0.113.1),{fact.category},{fact.vmta},{fact.job},{fact.envid}"
        )
    return "\n".join(lines).encode() + b"\n"


async def posted(pool: Any, settings: Settings, seconds: float, start: int) -> Run:
    """Batches of the inbox, as many as are taken in in so many seconds. Making them is not
    counted."""
    now = TODAY * DAY + DAY - 1

    async def calendar() -> int:
        return now

    inbox = open_intake(settings, pool, calendar).inbox
    count, clock, here = 0, 0.0, 0.0
    # One session takes in; which, is not told.
    before = await _backends(pool)
    while clock < seconds:
        for _ in range(10):
            await inbox.put(body(start + count, 10_000), origin="webhook", server="pmta1", who="")
            count += 10_000
        taking = asyncio.create_task(inbox.run())
        began, used = time.perf_counter(), time.process_time()
        while (await inbox.state()).waiting:
            await asyncio.sleep(0.05)
        clock += time.perf_counter() - began
        here += time.process_time() - used
        taking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await taking
    return Run(count, clock, here, await _backends(pool) - before)


async def _backends(pool: Any) -> float:
    rows = await pool.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    return sum(_of(row["pid"]) for row in rows)


async def fill(pool: Any, days: int) -> None:
    """Sums of so many days, all keys together: one row for each day, IP, campaign and provider, in
    the order in which batches make them: day by day, each batch's in the order of their keys."""
    for table, keys in (
        ("ip", "day, tenant, ip, provider"),
        ("campaign", "day, tenant, campaign, provider"),
        ("pair", "day, ip, campaign, tenant"),
        ("detail", "day, tenant, ip, campaign, provider"),
    ):
        columns = "relayed, delivered, bounced, bounced_address, deferred"
        await pool.execute(
            f"INSERT INTO statistics_{table} ({keys}, {columns}) "
            f"SELECT {keys}, sum(100), sum(90), sum(4), sum(3), sum(20) FROM ("
            " SELECT day, 't' || i % $3 AS tenant, '192.0.2.' || i AS ip, 'c' || c AS campaign,"
            " p AS provider FROM generate_series($1::int - $2::int + 1, $1::int) AS day,"
            f" generate_series(0, {IPS - 1}) AS i, generate_series(0, {CAMPAIGNS - 1}) AS c,"
            f" unnest($4::text[]) AS p) s GROUP BY {keys}"
            f" ORDER BY day, hashtext(concat({keys})) % $5::int, {keys}",
            *(TODAY, days, TENANTS, list(PROVIDERS[:12]), BATCHES),
        )
    await pool.execute("VACUUM ANALYZE")


class Asked(NamedTuple):
    """Of one question: milliseconds at the median and at the 99th percentile, of the processor here
    and in PostgreSQL (but for its parallel workers), and rows."""

    median: float
    worst: float
    here: float
    server: float
    rows: int


async def ask(pool: Any, query: dict[str, str], rounds: int = 100) -> Asked:
    """Many times."""
    taken = []
    rows = 0
    process = await pool.fetchval("SELECT pg_backend_pid()")
    server, here = _of(process), time.process_time()
    wanted = question(msgspec.convert(query, StatisticsQuery, strict=False), TODAY, 1_000)
    for _ in range(rounds):
        began = time.perf_counter()
        page = await answer(pool, wanted)
        taken.append((time.perf_counter() - began) * 1000)
        rows = len(page.rows)
    taken.sort()
    return Asked(
        taken[rounds // 2],
        taken[int(rounds * 0.99)],
        (time.process_time() - here) * 1000 / rounds,
        (_of(process) - server) * 1000 / rounds,
        rows,
    )


_SIZE = "SELECT pg_database_size(current_database())"


async def door(pool: Any, seconds: float) -> None:
    """Records through it, printed."""
    start = 0
    for name in ("door alone", "with statistics", "posted, with all that follows"):
        before = await pool.fetchval(_SIZE)
        if name.startswith("posted"):
            run = await posted(pool, Settings(), seconds, start)
        else:
            consumers = (Statistics(1_000),) if "statistics" in name else ()
            run = await through(pool, consumers, seconds, start)
        start += run.records
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name}: {run.records:,} records, {run.records / run.clock:,.0f}/s by the clock; "
            f"processor: {run.here / run.records * 1e6:.0f} µs a record here, "
            f"{run.server / run.records * 1e6:.0f} µs in PostgreSQL; {memory:.0f} MB; "
            f"{(await pool.fetchval(_SIZE) - before) / run.records:.0f} MB of disk a million",
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
        {"by": "ip,campaign", "after": '["192.0.2.90","c50"]'},
        {"by": "tenant,ip,campaign", "after": '["192.0.2.90","c50","t0"]'},
        {"by": "ip,campaign", "with": "total"},
        {"by": "day,ip", "with": "total,categories"},
        {"by": "ip,campaign,provider"},
        {"by": "day,ip,campaign,provider"},
        {"by": "campaign,provider", "ip": "192.0.2.7"},
    ):
        of = await ask(pool, query | {"from": first})
        shown = "&".join(f"{key}={value}" for key, value in query.items())
        print(
            f"{shown}: {of.median:.0f} ms, p99 {of.worst:.0f} ms, processor {of.here:.0f} ms here, "
            f"{of.server:.0f} ms in PostgreSQL; {of.rows} rows",
            flush=True,
        )


async def measure(url: str, what: str, seconds: float, days: int) -> None:
    """What is asked for."""
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
    if what in ("all", "door"):
        async with asyncpg.create_pool(url, min_size=3, max_size=3) as several:
            await door(several, seconds)
    if what in ("all", "questions"):
        await answers(pool, days)
    await pool.close()


async def _build(url: str) -> None:
    await migrate(url)


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
            url = uvloop.run(parts.create_database("statistics", _build))
            uvloop.run(measure(url, options.only, options.seconds, options.days))
        finally:
            parts.close()


if __name__ == "__main__":
    main()
