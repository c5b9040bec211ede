"""Two control nodes, nights, and kill -9 in the middle of what they do: each run and each decision
once, totals right, and nothing is half there."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from control.ledger.clock import ClockMove
from control.parts import Parts
from control.plan.ledger import ledger_number
from policy.ledger.daycounts import TOTAL, day_counts
from policy.ledger.known import Counters
from policy.limits import DAY, day_of
from tests.faults.nodes import Nodes, at
from tests.support.control.core import Api
from tests.support.control.fixtures import api, core
from tests.support.servers.halt import Place

__all__ = ["api", "core"]

WEEK = 7
NIGHTS = 4
PAIRS = [(f"192.0.2.{10 * n}", f"192.0.2.{10 * n + 1}") for n in range(1, NIGHTS + 1)]
"""Of each night, the IPs that take a step in it."""
IPS = [ip for pair in PAIRS for ip in pair]
COUNTED, THIN = {"gmail": 30, "yahoo": 20}, {"gmail": 6, "yahoo": 4}

CONSOLIDATION_AT, LATE_AT = 30, 31
_VMTAS = "SELECT vmta FROM"


def vmta_of(ip: str) -> str:
    return f"vmta-{ip.replace('.', '-')}"


def in_decisions(night: int) -> Place:
    """Another place each night: one of two IPs is changed; one of two decisions is written; all is
    written, and the ledger has no generation; all is done but for saying so."""
    second = PAIRS[night][1]
    return (
        Place("virtual_mta", "BEFORE UPDATE", f"NEW.name = '{vmta_of(second)}'"),
        Place("warmup_decision", "BEFORE INSERT", f"NEW.act = 'advance' AND NEW.ip = '{second}'"),
        Place("generation", "AFTER INSERT", "NEW.who = 'warmup'"),
        Place("job_run", "BEFORE UPDATE", "NEW.name = 'warmup' AND NEW.state = 'done'"),
    )[night]


def in_consolidation(night: int, today: int) -> Place:
    """Half of a day's rows; all of them and what is noted of the day, which nobody can read yet;
    the ledger has let go of a day, and PostgreSQL does not know; all is done but for saying so."""
    done = "NEW.cleared IS NOT NULL AND OLD.cleared IS NULL"
    return (
        Place("ledger_day", "BEFORE INSERT", f"NEW.day = {today - 1} AND NEW.ip = '{IPS[3]}'"),
        Place("consolidation", "AFTER INSERT", f"NEW.day = {today - 1}"),
        Place("consolidation", "BEFORE UPDATE", done),
        Place("job_run", "BEFORE UPDATE", "NEW.name = 'consolidation' AND NEW.state = 'done'"),
    )[night]


class Scene(Nodes):
    """What is so after each step, whoever was killed."""

    first: int
    """The day on which the IPs began."""
    core: Parts

    def sent(self, ip: str, day: int) -> dict[str, int]:
        """A pair sends enough in the seven days before its night."""
        night = next(n for n, pair in enumerate(PAIRS) if ip in pair)
        return COUNTED if night <= day - self.first < night + WEEK else THIN

    async def seed(self, api: Api) -> None:
        """A tenant's IPs, and what they send in all of the nights' days, as the ledger and as
        accounting has it."""
        self.first = day_of(await self.core.calendar())
        new = {"name": "acme", "login": "acme", "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        for ip in IPS:
            source = {"tenant": "acme", "domain": "acme.test", "ip": ip}
            assert (await api("POST", "/api/v2/domains", source))[0] == 201
        of = [
            (day, ip, self.sent(ip, day))
            for day in range(self.first, self.first + WEEK + NIGHTS)
            for ip in IPS
        ]
        await self.core.admin.raise_counters(
            Counters(ip, day, sum(sent.values()), sent) for day, ip, sent in of
        )
        await self.core.pool.executemany(
            "INSERT INTO statistics_ip (day, tenant, ip, provider, relayed, delivered, ended)"
            " VALUES ($1, 'acme', $2, $3, $4, $4, $4)",
            [(day, ip, name, count) for day, ip, sent in of for name, count in sent.items()],
        )
        last = (self.first + WEEK) * DAY - 60_000 - await self.core.calendar()
        await self.core.clock.move(ClockMove(advance=f"{last // 1000}s"))

    async def between(self, due: int) -> None:
        await self.steps_are_whole()
        await self.days_are_whole()

    async def steps_are_whole(self, night: int | None = None) -> None:
        """Of a night's two IPs both have their step, its row, its history, its audit row and its
        place in the plan, or neither has one; after `night` those up to it have."""
        pool = self.core.pool
        generation = await self.core.publisher.current()
        assert generation is not None
        made = {
            row["name"]: row["stage"]
            for row in await pool.fetch("SELECT name, stage FROM virtual_mta")
        }
        rows = {
            table: await pool.fetch(query)
            for table, query in {
                "decision": f"{_VMTAS} warmup_decision WHERE act = 'advance' AND provider = ''",
                "history": f"{_VMTAS} warmup_history WHERE who = 'warmup'",
            }.items()
        }
        audited = await pool.fetch("SELECT subject FROM audit_log WHERE who = 'warmup'")
        for number, pair in enumerate(PAIRS):
            stages = [made[vmta_of(ip)] for ip in pair]
            assert stages in ([1, 1], [2, 2]), stages
            if night is not None:
                assert stages == ([2, 2] if number <= night else [1, 1]), (night, number)
            for ip, stage in zip(pair, stages, strict=True):
                its = {
                    table: sum(r["vmta"] == vmta_of(ip) for r in of) for table, of in rows.items()
                }
                assert its == {"decision": stage - 1, "history": stage - 1}, (ip, its)
                assert sum(r["subject"] == ip for r in audited) == stage - 1, ip
                assert generation.vmta[vmta_of(ip)].daily == (50, 200)[stage - 1], ip
        assert await ledger_number(self.core.admin) == generation.number

    async def days_are_whole(self, finished: int | None = None) -> None:
        """Of a day all rows with what was sent, or none; what was noted of it says the same. After
        the night of `finished` each day up to it, and the ledger has the last week's."""
        pool = self.core.pool
        rows = await pool.fetch("SELECT day, ip, provider, sent FROM ledger_day")
        noted = {row["day"]: row for row in await pool.fetch("SELECT * FROM consolidation")}
        for day in {row["day"] for row in rows}:
            found = {(r["ip"], r["provider"]): r["sent"] for r in rows if r["day"] == day}
            wanted = {(ip, p): n for ip in IPS for p, n in self.sent(ip, day).items()}
            assert found == wanted, day - self.first
            total = sum(wanted.values())
            whole = (noted[day]["sent"], noted[day]["accounted"], noted[day]["difference"])
            assert whole == (total, total, 0), day - self.first
        if finished is None:
            return
        assert {row["day"] for row in rows} == set(range(self.first, finished + 1))
        left = await day_counts(
            self.core.admin.client, self.core.admin.root, IPS, range(self.first, finished + 1)
        )
        gone = {day for day, row in noted.items() if row["cleared"] is not None}
        assert gone == set(range(self.first, finished + 1 - WEEK))
        assert {day for _, day in left} == set(range(finished + 1 - WEEK, finished + 1))
        for (ip, day), counts in left.items():
            sent = self.sent(ip, day)
            assert counts.charged == {**sent, TOTAL: sum(sent.values())}, (ip, day)

    async def runs_are_once(self) -> None:
        """Each that was due, done, and tried again only where its node was killed."""
        rows = await self.core.pool.fetch("SELECT name, due, state, attempts FROM job_run")
        runs = {(row["name"], row["due"]): (row["state"], row["attempts"]) for row in rows}
        for night in range(NIGHTS):
            today = self.first + WEEK + night
            for job, minute in (
                *(("warmup", 0), ("consolidation", CONSOLIDATION_AT), ("warmup-late", LATE_AT)),
            ):
                due = at(today, minute)
                assert runs[job, due] == ("done", 1 + ((job, due) in self.killed)), (job, night)


@pytest.fixture
async def scene(core: Parts, api: Api, tmp_path: Path) -> AsyncIterator[Scene]:
    connection = await asyncpg.connect(core.settings.database.url)
    nodes = Scene(core, core.settings, tmp_path, connection)
    nodes.core = core
    await nodes.seed(api)
    try:
        before = nodes.first + WEEK - 1
        jobs = (("warmup", 0), ("consolidation", CONSOLIDATION_AT), ("warmup-late", LATE_AT))
        await nodes.start({job: at(before, minute) for job, minute in jobs})
        yield nodes
    finally:
        await nodes.stop()
        await connection.close()


async def test_nights_of_two_nodes_each_killed_in_the_middle(scene: Scene) -> None:
    for night in range(NIGHTS):
        today = scene.first + WEEK + night
        await scene.killed_in("warmup", at(today), in_decisions(night))
        await scene.steps_are_whole(night)
        place = in_consolidation(night, today)
        await scene.killed_in("consolidation", at(today, CONSOLIDATION_AT), place)
        await scene.days_are_whole(today - 1)
        await scene.night("warmup-late", at(today, LATE_AT))
        await scene.steps_are_whole(night)
    await scene.runs_are_once()
