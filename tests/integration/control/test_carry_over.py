"""Carry-over: what PowerMTA still tries of earlier days is missing in today's allowance, and comes
back record by record."""

import asyncio
from typing import Any

import msgspec
import pytest

from control.ledger.carryover import CarryOver, Figure
from control.ledger.clock import ClockMove
from control.parts import Parts
from policy.ledger.daycounts import TOTAL
from policy.ledger_port import Granted, Reserve
from policy.limits import DAY, day_of
from settings.tasks import cancel
from tests.support.control.core import Api
from tests.support.control.records import book, record

IP, QUOTA = "192.0.2.10", 10


class Scene:
    """A tenant with one IP of 10 a day, no pace, and 6 of them at gmail."""

    def __init__(self, core: Parts) -> None:
        self.core = core

    @property
    def carry(self) -> CarryOver:
        return self.core.carry_over

    async def today(self) -> int:
        return day_of(await self.core.calendar())

    async def send(self, count: int, provider: str = "gmail") -> int:
        """Ask for one recipient after the other; how many were granted."""
        granted = 0
        for number in range(count):
            ask = Reserve("acme", "acme", f"a{number}@acme.test", ((provider, 1),))
            batch = await self.core.ledger.decide([ask])
            granted += isinstance(batch.decisions[0], Granted)
        return granted

    async def publish(self) -> None:
        await self.carry.publish(await self.core.calendar())

    async def opening(self) -> tuple[int, dict[str, int]]:
        """Of the IP's today, those that are not 0."""
        _, usage = await self.core.admin.usage([IP])
        found = usage[IP]
        return found.opening, {k: v for k, v in found.opening_by_provider.items() if v}

    async def tell(self, kind: str, number: int, day: int, domain: str = "gmail.com") -> None:
        """One record of a message of that day's, written now."""
        at = str(await self.core.calendar() // 1000)
        rcpt = f"user{number}@{domain}"
        one = record(kind, f"abcdefgh{number:03}", day=day, timeLogged=at, rcpt=rcpt)
        await book(self.core, one | {"bounceCat": "bad-mailbox" if kind == "b" else ""})

    async def to_next_day(self, days: int = 1, hour: int = 1) -> None:
        """Over midnight, by the clock's own door."""
        now = await self.core.calendar()
        left = (day_of(now) + days) * DAY + hour * 3_600_000 - now
        await self.core.clock.move(ClockMove(advance=f"{-(-left // 1000)}s"))


@pytest.fixture
async def here(core: Parts, api: Api) -> Scene:
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    source: dict[str, Any] = {"tenant": "acme", "domain": "acme.test", "ip": IP}
    status, made = await api(
        "POST", "/api/v2/domains", source | {"quota": QUOTA, "hourly_share": 1.0}
    )
    assert status == 201, made
    change = {"ceilings": {"gmail": 6}}
    status, made = await api("PATCH", f"/api/v2/ips/{IP}", change)
    assert status == 200, made
    return Scene(core)


async def test_what_a_provider_put_off_is_missing_the_next_day_and_comes_back(here: Scene) -> None:
    """Hazard 10."""
    monday = await here.today()
    assert await here.send(5) == 5
    assert await here.send(3, "yahoo") == 3
    for number in range(5):
        await here.tell("t", number, monday)
    for number in range(3):
        await here.tell("d", 10 + number, monday, "yahoo.com")
    await here.to_next_day()
    assert await here.opening() == (5, {"gmail": 5})
    # 6 at gmail without five; 10 in all without five.
    assert await here.send(9) == 1
    assert await here.send(9, "yahoo") == 4
    await here.publish()
    assert await here.opening() == (5, {"gmail": 5})
    for number, kind in enumerate("dbd"):
        await here.tell(kind, number, monday)
        await here.publish()
        assert await here.opening() == (4 - number, {"gmail": 4 - number})
        assert await here.send(9) == 1, "one record, one more"
        assert await here.send(9, "yahoo") == 0
    # Another attempt that fails, a bounce after delivery: nothing ended.
    await here.tell("t", 4, monday)
    await here.tell("rb", 0, monday)
    await here.publish()
    assert await here.opening() == (2, {"gmail": 2})
    usage = (await here.core.admin.usage([IP]))[1][IP]
    assert usage.relayed + usage.opening == QUOTA
    assert usage.by_provider["gmail"] + 2 == 6


async def test_days_add_up_until_powermta_gives_up(here: Scene) -> None:
    monday = await here.today()
    assert await here.send(4) == 4
    await here.tell("t", 1, monday)
    await here.to_next_day()
    assert await here.send(1) == 1
    await here.tell("t", 1, monday)
    await here.to_next_day()
    assert await here.opening() == (5, {"gmail": 5})
    # 4 days and 12 hours after the end of Monday its mail is over.
    await here.to_next_day(3, hour=11)
    await here.tell("t", 1, monday)
    await here.publish()
    assert await here.opening() == (5, {"gmail": 5})
    await here.core.clock.move(ClockMove(advance="2h"))
    await here.tell("t", 1, monday)
    await here.publish()
    assert await here.opening() == (1, {"gmail": 1})


async def test_no_figure_is_made_where_no_record_is_read_or_history_alone(here: Scene) -> None:
    monday = await here.today()
    assert await here.send(4) == 4
    await book(here.core, record("d", day=monday - 30, envId=""), origin="import", server="")
    await here.to_next_day()
    assert await here.opening() == (0, {})
    assert here.carry.figures == []


async def test_records_that_stopped_leave_the_last_known_figure_and_raise_an_alarm(
    here: Scene,
) -> None:
    monday = await here.today()
    assert await here.send(4) == 4
    await here.tell("t", 0, monday)
    await here.to_next_day(hour=3)
    await here.publish()
    # Three hours and more behind: an hour is the bound.
    assert here.carry.figures == [Figure("pmta1", 4, late=True)]
    assert await here.opening() == (4, {"gmail": 4})
    # Of what is granted meanwhile nothing is known.
    assert await here.send(1) == 1
    await here.to_next_day(hour=3)
    assert await here.opening() == (4, {"gmail": 4})
    await here.tell("d", 0, monday)
    await here.publish()
    assert here.carry.figures == [Figure("pmta1", 4, late=False)]
    assert await here.opening() == (4, {"gmail": 4}), "3 of Monday, 1 of Tuesday"


async def test_a_server_that_has_nothing_to_tell_is_not_late(here: Scene) -> None:
    monday = await here.today()
    assert await here.send(1) == 1
    await here.tell("d", 0, monday)
    await here.to_next_day(hour=5)
    await here.publish()
    assert here.carry.figures == [Figure("pmta1", 0, late=False)]


async def test_a_ledger_that_forgot_a_day_is_told_what_receipts_say(here: Scene) -> None:
    core, monday = here.core, await here.today()
    await here.tell("t", 0, monday)
    await core.pool.execute(
        "INSERT INTO relayed (day, vmta, provider, ip, count) VALUES ($1, 'v', 'gmail', $2, 3)",
        *(monday, IP),
    )
    await here.to_next_day()
    assert await here.opening() == (3, {"gmail": 3})


async def test_what_went_around_the_gateways_is_charged_and_not_carried(here: Scene) -> None:
    core, monday = here.core, await here.today()
    assert await here.send(2) == 2
    await here.tell("t", 0, monday)
    incarnation = await core.admin.incarnation()
    assert await core.admin.charge_bypass(incarnation, IP, monday, {"gmail": 3})
    await here.to_next_day()
    assert await here.opening() == (2, {"gmail": 2})


async def test_it_is_published_without_being_asked(here: Scene) -> None:
    monday = await here.today()
    assert await here.send(2) == 2
    await here.tell("t", 0, monday)
    task = asyncio.create_task(here.carry.run())
    try:
        async with asyncio.timeout(20):
            while not here.carry.figures:
                await asyncio.sleep(0.02)
    finally:
        await cancel([task])
    assert here.carry.figures == [Figure("pmta1", 0, late=False)]
    assert await here.core.admin.client.exists(f"{here.core.admin.root}day:{monday + 1}:{IP}")


async def test_what_is_kept_is_by_day_and_provider(here: Scene) -> None:
    monday = await here.today()
    assert await here.send(2) == 2
    await here.tell("t", 0, monday)
    await here.publish()
    kept = await here.core.pool.fetchval("SELECT outstanding FROM carry_over WHERE ip = $1", IP)
    assert kept == {str(monday): {"gmail": 2, TOTAL: 2}}
    assert msgspec.json.encode(kept)
