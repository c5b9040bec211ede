"""What it costs to choose held mail: `python -m tests.bench.releasing [--rows N …]`.

Held rows of a hundred tenants, made by PostgreSQL itself, in a PostgreSQL of their own with fsync
on. Every mailbox has a minimum of 30 and has sent nothing. For each number of rows: how long a
releaser that just started takes to know them all, then what the choice of a thousand costs (CPU of
this process and of PostgreSQL's: median and best of the rounds), what claiming them
costs, and how many a second that makes. Then the same while a snapshot that was taken before is
open, and after what was claimed has ended, and new rows came.
"""

import argparse
import asyncio
import gc
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from control.embedded.servers.postgres import SETTINGS
from gateway.hold.database import Database
from gateway.hold.release.queue import Queue
from gateway.watch.log import Log
from policy.limits import DAY
from policy.model import MailboxLimits, Pool
from settings.statements import statements
from tests.bench.heldrows import TENANTS, TODAY, fill
from tests.bench.processes import cpu_of
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.hold.database import migrated
from tests.support.servers.parts import SharedParts

_SQL = statements("gateway.hold.release", "release")
_ENDED = "UPDATE held SET state = 'done', ending = 'relayed' WHERE state = 'claimed'"


class Nothing:
    """Counts of a day that has just begun."""

    async def today(self, tenant: Any, mailboxes: Any, now: int) -> list[tuple[int, int, int]]:
        del tenant, now
        return [(30, 30, 0)] * len(mailboxes)


class Bench:
    """A queue, and what PostgreSQL's processes cost."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size = size
        rows = tuple(vmta(n) for n in range(1, TENANTS + 1))
        least = MailboxLimits(daily_min=30)
        tenants = tuple(tenant(f"t{n}", mailbox_default=least) for n in range(TENANTS))
        pools = tuple(
            Pool(name=f"t{n}-pool", tenant=f"t{n}", members=(rows[n].name,)) for n in range(TENANTS)
        )
        self._plan = generation(*rows, tenants=tenants, pools=pools)
        self.database = Database(url, connections=2, timeout=120.0, log=Log())

    async def open(self) -> None:
        await self.database.open()
        self.link = await asyncpg.connect(self._url)

    async def queue(self) -> Queue:
        """One that knows every line; prints what that took."""
        gc.collect()
        found = Queue(
            self.database,
            Nothing(),
            generation=lambda: self._plan,
            now=lambda: (TODAY + 1) * DAY - 1,
            round_size=self._size,
            look=86_400,
        )
        started, theirs, ours = time.perf_counter(), await self.servers(), time.process_time()
        while not found.complete:
            await found.look()
        gc.freeze()  # as a releaser does
        groups = [g for tenant in found.tenants.values() for g in tenant.groups.values()]
        lines = sum(len(group.campaigns) + len(group.others) for group in groups)
        print(
            f"    all lines known ({lines}): {(time.process_time() - ours) * 1e3:.0f} ms here, "
            f"{(await self.servers() - theirs) * 1e3:.0f} ms in PostgreSQL, "
            f"{time.perf_counter() - started:.1f} s"
        )
        return found

    async def servers(self) -> float:
        """CPU seconds of those who serve this database."""
        found = await self.link.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        )
        return sum(cpu_of(row["pid"]) for row in found)

    async def rounds(self, queue: Queue, count: int, name: str) -> None:
        """Choose and claim; print the medians."""
        here, there, clock, claims = [], [], [], []
        chosen = 0
        for _ in range(count):
            await queue.look()
            theirs, ours, started = await self.servers(), time.process_time(), time.perf_counter()
            picks = await queue.next(queue.groups(), self._size)
            clock.append(time.perf_counter() - started)
            here.append(time.process_time() - ours)
            there.append(await self.servers() - theirs)
            started = time.perf_counter()
            chosen += await self.claim(picks)
            claims.append(time.perf_counter() - started)
            queue.settle(picks, {pick.row[2] for pick in picks}, ())
        both = [a + b for a, b in zip(here, there, strict=True)]
        total = sum(clock) + sum(claims)
        ours, theirs = statistics.median(here) * 1e3, statistics.median(there) * 1e3
        print(
            f"    {name}: {ours:.1f} ms here + {theirs:.1f} ms in PostgreSQL = {ours + theirs:.1f} "
            f"(best {min(both) * 1e3:.1f}, first {both[0] * 1e3:.1f}, worst {max(both) * 1e3:.1f}; "
            f"clock {statistics.median(clock) * 1e3:.1f}); claimed {chosen} in {count} rounds, "
            f"{statistics.median(claims) * 1e3:.0f} ms a claim, {chosen / total:.0f} a second",
            flush=True,
        )

    async def claim(self, picks: Any) -> int:
        """As a releaser does, but for the ledger; how many were there."""
        days, ids = [pick.row[0] for pick in picks], [pick.row[2] for pick in picks]
        async with self.database.connection() as link:
            await link.execute("BEGIN")
            rows = await link.fetch(_SQL["lock"], days, ids)
            await link.execute(
                _SQL["claim"], 1, "me/1", [r["bucket"] for r in rows], [r["id"] for r in rows],
                [1] * len(rows), ["pmta1"] * len(rows), ["v"] * len(rows), ["e"] * len(rows),
            )  # fmt: skip
            await link.execute("COMMIT")
        return len(rows)


async def measure(url: str, options: argparse.Namespace) -> None:
    bench = Bench(url, options.size)
    await bench.open()
    there, first = 0, 0
    for rows in options.rows:
        await fill(bench.link, first, rows - there, options.mailboxes)
        first += rows - there
        await bench.link.execute("VACUUM ANALYZE held")
        count = max(min(options.rounds, rows // options.size // 5), 1)
        print(f"{rows} held, {options.mailboxes} mailboxes of {TENANTS} tenants", flush=True)
        queue = await bench.queue()
        await bench.rounds(queue, count, "at rest")
        watcher = await asyncpg.connect(url)
        await watcher.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await watcher.execute("SELECT count(*) FROM held WHERE bucket < 0")
        gone = 0
        while gone < options.churn * rows:
            await queue.look()
            if not (picks := await queue.next(queue.groups(), options.size)):
                break
            gone += await bench.claim(picks)
            queue.settle(picks, {pick.row[2] for pick in picks}, ())
        await bench.link.execute(_ENDED)
        left, heard = gone, 0.0
        while left > 0:
            part = min(left, 10_000)
            await fill(bench.link, first, part, options.mailboxes)
            first, left = first + part, left - part
            await asyncio.sleep(0.1)  # as often as a releaser asks for what is new
            before = time.process_time()
            await queue.look()
            heard += time.process_time() - before
        print(f"    {gone} gone, as many came: {heard / max(gone, 1) * 1e6:.0f} µs here for each")
        await bench.rounds(queue, count, "under the old snapshot")
        del queue
        queue = await bench.queue()
        await bench.rounds(queue, count, "as above, a releaser that just started")
        await watcher.execute("COMMIT")
        await watcher.close()
        await bench.link.execute(_ENDED)
        await bench.link.execute("VACUUM ANALYZE held")
        await bench.rounds(queue, count, "snapshot closed, vacuumed")
        there = await bench.link.fetchval("SELECT count(*) FROM held WHERE state = 'held'")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"    most memory of this process: {peak / 1024:.0f} MB")
    await bench.link.close()
    await bench.database.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="releasing", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=1000, help="of a round")
    parser.add_argument("--shared-buffers", default="64MB", help="of PostgreSQL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--churn", type=float, default=0.1, help="share that goes and comes")
    options = parser.parse_args()
    SETTINGS["shared_buffers"] = options.shared_buffers
    with tempfile.TemporaryDirectory(prefix="sendgate-releasing-") as folder:
        parts = SharedParts(Path(folder))
        try:
            url = uvloop.run(parts.create_database("hold", migrated))
            uvloop.run(measure(url, options))
        finally:
            parts.close()


if __name__ == "__main__":
    main()
