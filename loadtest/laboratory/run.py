"""One run: set up, send day by day on a moved clock, read the books, judge."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtest.benchmark import compiled
from loadtest.benchmark.machine import Machine, machine
from loadtest.laboratory import invariants
from loadtest.laboratory.api import Api
from loadtest.laboratory.books import Books
from loadtest.laboratory.calendar import Calendar
from loadtest.laboratory.clients import Clients
from loadtest.laboratory.figures import Spread, figures, spread
from loadtest.laboratory.furnish import furnish
from loadtest.laboratory.invariants import Waiting
from loadtest.laboratory.progress import Shown
from loadtest.laboratory.result import Curve, Result, Sample
from loadtest.laboratory.scenario import Scenario
from loadtest.laboratory.stack import Stack, stack
from loadtest.laboratory.traffic import Traffic
from loadtest.laboratory.world import World

_LOOK = 0.25
_CALM = 0.1
"""Share of `settle` without a new receipt that is called calm: with 100,000 mailboxes and as many
held messages on a busy machine, a second without one came long before the last."""
_API = (
    *("/api/v2/status", "/api/v2/quota", "/api/v2/hold", "/metrics"),
    *("/api/warmup/quota?status=behind", "/api/warmup/mailbox", "/api/warmup/metrics"),
)
_ASKED = 20
_ENDED = ("refused",)


async def run(scenario: Scenario, shown: Shown, keep: Path | None = None) -> Result:
    """Raises StackError, ApiError, NoConnectionError."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    began = time.monotonic()
    world = World(scenario)
    traffic = Traffic(world)
    async with stack(scenario, keep) as running:
        await furnish(world, running.api, shown.told)
        ready = time.monotonic()
        course = _Course(running, world, traffic, shown)
        await course.all()
        took = time.monotonic() - ready
    return course.result(started, ready - began, took)


def _machine() -> Machine:
    """Whether the product is compiled is seen from where this runs: `make load` runs it from what
    was built."""
    found = machine()
    built = compiled.in_use() or (compiled.ROOT / ".ready").exists()
    return msgspec.structs.replace(found, compiled=built)


class _Course:
    """The days of one run."""

    def __init__(self, running: Stack, world: World, traffic: Traffic, shown: Shown) -> None:
        self._running = running
        self._world = world
        self._traffic = traffic
        self._shown = shown
        self._days = world.scenario.days
        self._books = Books(world, traffic)
        self._clients = Clients(world, traffic, *running.smtp)
        self._samples: list[Sample] = []
        self._curves: list[list[list[int]]] = [[] for _ in world.ips]
        self._moved: Counter[int] = Counter()
        self._began = time.monotonic()
        self._memory: Counter[str] = Counter()

    async def all(self) -> None:
        """Every day, and what is asked at the end."""
        running = self._running
        token = await running.accounting_token()
        self._feedback = Api(running.api.url, token)
        async with self._feedback, Calendar(running) as self._calendar:
            before = running.usage()
            for day in range(self._days.days):
                for step in range(self._days.steps):
                    await self._step(day, step)
                await self._midnight(day)
            self._held = await self._waiting()
            self._counted = await self._ledger()
            self._paused = await self._stopped_ips()
            self._api = await self._asked()
            after = running.usage()
        self._cpu = {n: u.cpu - (before[n].cpu if n in before else 0.0) for n, u in after.items()}

    async def _step(self, day: int, step: int) -> None:
        """Its time, its mail, and what came of it."""
        await self._move(self._calendar.first + (day + step / self._days.steps) * 86_400)
        began, done = time.monotonic(), self._clients.done
        numbers = self._traffic.step(day, step)
        await self._clients.send(numbers)
        sent = time.monotonic() - began
        slot = self._days.seconds / self._days.steps
        while (left := began + slot - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 1.0))
            await self._read()
        await self._read()
        await self._running.retry()
        await self._tell()
        await self._sample(day, step, (self._clients.done - done) / sent if numbers else 0.0)

    async def _move(self, moment: float) -> None:
        """To this second since 1970, unless it is over."""
        if not (self._world.minutes or self._world.hours):
            await self._calendar.to(moment)
            return
        late = await self._claimed()
        now = await self._calendar.to(moment)
        self._moved[now] += max(late, await self._claimed())

    async def _claimed(self) -> int:
        found = await self._running.api.get("/api/v2/hold", state="claimed")
        return int(found["all"]["messages"])

    async def _read(self) -> int:
        return await asyncio.to_thread(self._books.read, self._running.accounting)

    async def _tell(self) -> None:
        """Complaints, as PowerMTA posts them."""
        told, self._books.complaints = self._books.complaints, []
        if not told:
            return
        stamp = datetime.fromtimestamp(self._calendar.now(), UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
        records = [
            {
                "type": "f", "timeLogged": stamp, "rcpt": rcpt, "orig": orig, "envId": envid,
                "feedbackType": "abuse",
            }
            for rcpt, orig, envid in told
        ]  # fmt: skip
        await self._feedback.asked(
            "POST",
            "/api/v2/powermta/accounting",
            b"".join(msgspec.json.encode(record) + b"\n" for record in records),
            kind="application/x-ndjson",
        )

    async def _midnight(self, day: int) -> None:
        """The day's last minutes, in which what may still go goes, until it is calm and all of it
        is accounted for."""
        settle = self._days.settle
        await self._move(self._calendar.first + (day + 1) * 86_400 - settle - 30)
        until = time.monotonic() + settle
        calm = 0
        while calm * _LOOK < settle * _CALM and time.monotonic() < until:
            await asyncio.sleep(_LOOK)
            calm = 0 if await self._read() or await self._claimed() else calm + 1
        await self._running.retry()
        await self._tell()
        date = datetime.fromtimestamp(self._calendar.first + day * 86_400, UTC).date().isoformat()
        taken = sum(n for (d, _), n in self._books.by_ip.items() if d == self._calendar.day + day)
        while time.monotonic() < until and not await self._heard(date, taken):
            await asyncio.sleep(_LOOK)
        await self._sample(day, self._days.steps, 0.0)

    async def _heard(self, date: str, taken: int) -> bool:
        """Whether control knows what became of a day's mail: else the rest is carried over."""
        found = await self._running.api.get(
            "/api/v2/statistics", **{"from": date, "to": date, "by": "day", "with": "total"}
        )
        total = found["total"]
        return bool(total["delivered"] + total["bounced"] >= taken)

    async def _sample(self, day: int, step: int, rate: float) -> None:
        summary = await self._running.api.get("/api/v2/hold")
        usage = self._running.usage()
        for name, used in usage.items():
            self._memory[name] = max(self._memory[name], used.rss)
        number = self._calendar.day + day
        for ip, curve in enumerate(self._curves):
            if len(curve) <= day:
                curve.append([])
            curve[day].append(self._books.by_ip[number, ip])
        sample = Sample(
            day=day + 1,
            step=step,
            seconds=round(time.monotonic() - self._began, 1),
            offered=self._clients.done,
            taken=self._books.receipts,
            waiting=summary["all"]["messages"],
            memory={name: used.rss for name, used in usage.items()},
            rate=round(rate, 1),
        )
        self._samples.append(sample)
        self._shown.told(
            f"day {day + 1} of {self._days.days}",
            step,
            self._days.steps,
            f"offered {sample.offered}, taken {sample.taken}, waiting {sample.waiting}, "
            f"{sample.rate:.0f}/s",
        )

    async def _waiting(self) -> Waiting:
        """Every row of the hold, page by page."""
        held, ended = bytearray(len(self._traffic)), bytearray(len(self._traffic))
        for states, found in (("held,claimed,doubt", held), (",".join(_ENDED), ended)):
            query = {"state": states, "limit": "1000"}
            while True:
                page = await self._running.api.get("/api/v2/hold/messages", **query)
                for row in page["messages"]:
                    number = self._traffic.number(row["recipient"])
                    if number is not None:
                        found[number] = min(found[number] + 1, 255)
                if not page["after"]:
                    break
                query["after"] = page["after"]
        await self._read()
        return Waiting(held, ended)

    async def _ledger(self) -> dict[str, int]:
        """VirtualMTA to what was relayed today, page by page."""
        found: dict[str, int] = {}
        query = {"limit": "1000"}
        while page := await self._running.api.get("/api/v2/quota", **query):
            found |= {row["vmta"]: row["relayed"] for row in page if row["provider"] == "*"}
            query["after"] = page[-1]["vmta"]
        return found

    async def _stopped_ips(self) -> list[str]:
        rows = await self._running.api.get("/api/v1/warmup/plans")
        return sorted(row["ip"] for row in rows if row["paused"])

    async def _asked(self) -> dict[str, Spread]:
        """How long the API takes."""
        found = {}
        for path in _API:
            took = []
            for _ in range(_ASKED):
                began = time.monotonic()
                await self._running.api.asked("GET", path)
                took.append(time.monotonic() - began)
            if (one := spread(took)) is not None:
                found[path] = one
        return found

    def result(self, started: str, setup: float, took: float) -> Result:
        """Judged; times in seconds."""
        waiting = self._held
        world, traffic, books, clients = self._world, self._traffic, self._books, self._clients
        found = figures(
            world, traffic, books, clients.answers, waiting.held, clients.latencies,
            self._calendar.day,
        )  # fmt: skip
        judged = invariants.judge(world, traffic, books, clients.answers, waiting, self._moved)
        last = self._calendar.day + self._days.days - 1
        judged.append(invariants.counted(world, books, last, self._counted))
        judged += invariants.expected(
            world, completion=found.completion, spread=found.farthest, failures=found.failures
        )
        return Result(
            scenario=world.scenario,
            machine=_machine(),
            started=started,
            setup_seconds=round(setup, 1),
            run_seconds=round(took, 1),
            ok=all(one.holds for one in judged),
            invariants=judged,
            broken=[one.name for one in judged if not one.holds],
            figures=found,
            samples=self._samples,
            curves=[
                Curve(ip.address, world.tenants[ip.tenant].name, ip.quota, curve)
                for ip, curve in zip(world.ips, self._curves, strict=True)
            ],
            memory=dict(sorted(self._memory.items())),
            processor={name: round(value, 2) for name, value in sorted(self._cpu.items())},
            api=self._api,
            paused=self._paused,
            trouble=clients.trouble,
        )
