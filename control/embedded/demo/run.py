"""`sendgate demo`: the main job, end to end, on the real parts, judged by a second reading of
the policy. Exit code 0 only when PowerMTA received exactly what the policy says, day by day, every
message was answered 250 and arrived once."""

import asyncio
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from control.embedded.demo import aftermath, warming
from control.embedded.demo.aftermath import Aftermath, Sums
from control.embedded.demo.expect import expected
from control.embedded.demo.judge import Day, Taken, Waits, differences
from control.embedded.demo.mail import Mail, first_day
from control.embedded.demo.send import Reply, send_all
from control.embedded.demo.warming import Decided
from control.embedded.stack.demotenants import IPS, PASSWORDS
from control.embedded.stack.options import Options
from control.embedded.stack.stack import Running, stack
from control.ledger.clock import ClockMove
from control.problem import RefusedError
from policy.isotime import instant_of

_MOST_DAYS = 7
_PATIENCE = 20.0
"""Seconds for a day's releases; the releaser needs one or two."""
_LOOK = 0.05


class _Page(msgspec.Struct, frozen=True):
    messages: list[Waits]


class _Counted(msgspec.Struct, frozen=True):
    rows: list[Sums]


class _Decisions(msgspec.Struct, frozen=True):
    decisions: list[Decided]


class Report(Protocol):
    """Who shows what happens."""

    def step(self, text: str) -> None:
        """Progress."""

    def answers(self, replies: list[Reply]) -> None:
        """What the client was told."""

    def day(self, day: Day, taken: list[Taken]) -> None:
        """One day, and its messages as PowerMTA took them."""

    def aftermath(self, found: Aftermath) -> None:
        """What bounces led to."""

    def warmup(self, decided: list[Decided]) -> None:
        """What an IP's week led to."""

    def verdict(self, differences: list[str]) -> None:
        """The last word."""


async def run(data_dir: Path | None, report: Report) -> int:
    """`data_dir` None takes a temporary one. Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="sendgate-demo-") as temporary:
        options = Options(
            data_dir=data_dir or Path(temporary) / "stack",
            smtp_port=0,
            api_port=0,
            standin_port=0,
            isolated=True,
        )
        report.step("starting Valkey, PostgreSQL, the PowerMTA stand-in, control and gateway")
        async with stack(options) as running, aiohttp.ClientSession() as session:
            found = await _Demo(running, session, report).run()
    report.verdict(found)
    for text in found:
        print(f"sendgate: {text}", file=sys.stderr, flush=True)
    return 1 if found else 0


class _Demo:
    """One run on one stack."""

    def __init__(self, running: Running, session: aiohttp.ClientSession, report: Report) -> None:
        self._running = running
        self._session = session
        self._report = report
        self._began = ""

    async def run(self) -> list[str]:
        """All days; the differences."""
        where = self._running.addresses
        self._report.step(
            f"gateway at {where.smtp}, API at {where.api}, PowerMTA stand-in at {where.pmta}"
        )
        noon = await self._noon()
        self._began = instant_of(noon)
        mails = first_day()
        self._report.step(f"{noon:%A %d %B %Y}, {len(mails)} messages for two tenants")
        replies = await self._send(mails)
        self._report.answers(replies)
        days = [await self._day("day 1", noon, mails)]
        while days[-1].left and len(days) < _MOST_DAYS:
            await self._heard(days[-1])
            self._report.step("moving the clock one day: the quotas open again")
            await self._running.core.clock.move(ClockMove(advance="1d"))
            noon += timedelta(days=1)
            days.append(await self._day(f"day {len(days) + 1}", noon, days[-1].left))
        found = differences(replies, days, await self._taken())
        found += await self._bounces(days, noon + timedelta(days=1))
        return found + await self._week()

    async def _bounces(self, days: list[Day], noon: datetime) -> list[str]:
        """A day on which some mail bounces, and what follows; what is not as it should be."""
        await self._heard(days[-1])
        await self._running.core.clock.move(ClockMove(advance="1d"))
        sent = aftermath.mails(first=await self._numbers())
        self._report.step(f"{noon:%A %d %B %Y}, {len(sent)} messages, of which two will bounce")
        replies = await self._send(sent)
        self._report.answers(replies)

        async def sums() -> Sums:
            rows = await self._counted(noon.date(), f"&ip={aftermath.IP}")
            return rows[0] if rows else Sums()

        found = await aftermath.follow(sent, self._running.addresses.smtp, sums)
        self._report.aftermath(found)
        answered = [f"{r.mail.to}: expected 250, got {r.code}" for r in replies if r.code != 250]
        return answered + aftermath.differences(sent, found)

    async def _week(self) -> list[str]:
        """An IP warms up; what is not as it should be."""
        self._report.step(
            f"{warming.IP} is new and warms up: {warming.A_DAY} recipients a day for a week, then "
            f"{warming.BOUNCES} of {warming.A_DAY} bounce"
        )
        await warming.prepare(self._running.core)
        decided, wrong = await warming.week(self, first=await self._numbers() + 100)
        self._report.warmup(decided)
        return wrong

    async def _numbers(self) -> int:
        """Of today's mails: others than those that an earlier demo in the same folder bounced."""
        today = datetime.fromisoformat((await self._running.core.clock.show()).now)
        return today.toordinal() * 1_000

    async def send(self, mails: list[Mail]) -> list[str]:
        """As `warming.Stack`."""
        return [
            f"{r.mail.to}: expected 250, got {r.code} {r.text}"
            for r in await self._send(mails)
            if r.code != 250
        ]

    async def told(self, ip: str, count: int) -> None:
        """As `warming.Stack`."""
        today = datetime.fromisoformat((await self._running.core.clock.show()).now).date()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while loop.time() < deadline:
            rows = await self._counted(today, f"&ip={ip}")
            if sum(row.delivered + row.bounced for row in rows) >= count:
                return
            await asyncio.sleep(_LOOK)

    async def next_day(self) -> None:
        """As `warming.Stack`."""
        await self._running.core.clock.move(ClockMove(advance="1d"))

    async def decided(self, ip: str) -> list[Decided]:
        """As `warming.Stack`."""
        content = await self._ask(f"warmup/decisions?ip={ip}&limit=1000")
        found = msgspec.json.decode(content, type=_Decisions).decisions
        return [one for one in found if one.at >= self._began]

    async def _noon(self) -> datetime:
        """Go to the next day's noon, on which nothing was sent and no midnight comes by."""
        clock = self._running.core.clock
        now = datetime.fromisoformat((await clock.show()).now).astimezone(UTC)
        noon = (now + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
        await clock.move(ClockMove(set=noon.isoformat()))
        return noon

    async def _send(self, mails: list[Mail]) -> list[Reply]:
        """Both tenants at once."""
        smtp = self._running.addresses.smtp
        groups = [[mail for mail in mails if mail.tenant == tenant] for tenant in PASSWORDS]
        sent = await asyncio.gather(*(asyncio.to_thread(send_all, smtp, group) for group in groups))
        return [reply for group in sent for reply in group]

    async def _day(self, title: str, noon: datetime, mails: list[Mail]) -> Day:
        """Wait until the hold is as the policy says, or for `_PATIENCE`; then look."""
        policy = expected(mails)
        left = sum(not entry.vmta for entry in policy.values())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while True:
            held = await self._held()
            settled = len(held) == left and all(entry.state == "held" for entry in held)
            if settled or loop.time() > deadline:
                break
            await asyncio.sleep(_LOOK)
        _, usage = await self._running.core.admin.usage([row.ip for row in IPS])
        day = Day(
            title=title,
            date=noon.date(),
            mails=mails,
            policy=policy,
            ledger={ip: counted.relayed for ip, counted in usage.items()},
            held=held,
        )
        self._report.day(day, [m for m in await self._taken() if m.day == day.date])
        return day

    async def _heard(self, day: Day) -> None:
        """Wait until PowerMTA has told what became of a day's mail, or for `_PATIENCE`: what it has
        not done with counts against the next day's quotas."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        gone = sum(day.ledger.values())
        while sum(row.delivered for row in await self._counted(day.date)) < gone:
            if loop.time() > deadline:
                return
            await asyncio.sleep(_LOOK)

    async def _counted(self, date: date, more: str = "") -> list[Sums]:
        """The statistics of a day by IP."""
        path = f"statistics?by=ip&from={date.isoformat()}&to={date.isoformat()}{more}"
        return msgspec.json.decode(await self._ask(path), type=_Counted).rows

    async def _held(self) -> list[Waits]:
        content = await self._ask("hold/messages?limit=1000")
        return msgspec.json.decode(content, type=_Page).messages

    async def _ask(self, path: str) -> bytes:
        """The control plane's API."""
        running = self._running
        headers = {"Authorization": f"Bearer {running.token}"}
        return await self._get(f"{running.addresses.api}/api/v2/{path}", headers)

    async def _taken(self) -> list[Taken]:
        assert self._running.standin is not None
        content = await self._get(f"{self._running.standin.url}/messages?limit=100000", {})
        return msgspec.json.decode(content, type=list[Taken])

    async def _get(self, url: str, headers: dict[str, str]) -> bytes:
        async with self._session.get(url, headers=headers) as response:
            if response.status != 200:
                raise RefusedError(f"{url} answers {response.status}")
            return await response.read()
