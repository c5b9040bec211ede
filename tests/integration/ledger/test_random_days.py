"""Whatever happens between two grants, an IP's day and what PowerMTA still tries of earlier ones
stay below its quota."""

import random
from collections.abc import AsyncIterator

import pytest

from control.ledger.status import LedgerState
from control.timetable import consolidation
from policy.ledger_port import Granted, Refund, Reserve
from policy.limits import DAY, day_of
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for
from tests.support.control.records import book, record
from tests.support.ledger.loss import Scene, scene

QUOTA = 5
STEPS = 90
OFTEN = {"grants": 5, "final": 4, "turn": 3, "lost": 1, "night": 1, "refund": 1}


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Scene]:
    async with scene(settings) as made:
        yield made


class Days:
    """Of the IP of one tenant, whose records come by webhook."""

    def __init__(self, here: Scene, chance: random.Random) -> None:
        self.here = here
        self.chance = chance
        self.granted: dict[int, int] = {}
        self.tried: dict[int, int] = {}
        """Message to its day, of those that have no final record."""
        self.number = 0
        self.done: list[str] = []

    async def today(self) -> int:
        return day_of(await self.here.now())

    async def tell(self, kind: str, message: int, day: int) -> None:
        at = str(await self.here.now() // 1000)
        one = record(kind, f"abcdefgh{message:03}", day=day, timeLogged=at)
        await book(self.here.core, one, origin="webhook")

    async def published(self) -> None:
        """As every minute, with records that go on coming."""
        await self.tell("t", 999, await self.today())
        await self.here.core.carry_over.publish(await self.here.now())

    async def grant(self) -> Granted | None:
        ask = Reserve("acme", "acme", "", (("gmail", 1),))
        [found] = (await self.here.gateway.decide([ask])).decisions
        return found if isinstance(found, Granted) else None

    async def grants(self) -> None:
        for _ in range(self.chance.randrange(1, 6)):
            if await self.grant() is None:
                return
            day, before = await self.today(), self.here.settings.control.pmta_bounce_after
            first = day_of(day * DAY - round(before * 1000))
            earlier = sum(first <= one < day for one in self.tried.values())
            self.granted[day] = self.granted.get(day, 0) + 1
            self.number += 1
            self.tried[self.number] = day
            assert self.granted[day] + earlier <= QUOTA, self.done

    async def refund(self) -> None:
        if (found := await self.grant()) is not None:
            await self.here.gateway.decide([Refund(found)])

    async def final(self) -> None:
        if self.tried:
            message = self.chance.choice(list(self.tried))
            await self.tell(self.chance.choice("db"), message, self.tried.pop(message))

    async def turn(self) -> None:
        """One day, or several that control is away for."""
        await self.published()
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            await self.here.next_day()

    async def lost(self) -> None:
        await self.published()
        now = await self.here.now()
        await self.here.core.admin.client.flushall()
        assert await self.here.core.admin.set_clock(now + 1_000)
        await self.here.attend()
        assert (await self.here.attend()).state is LedgerState.OPEN

    async def night(self) -> None:
        days = consolidation(self.here.core)
        await days.night(await self.today() - 1, await self.here.now())


@pytest.mark.parametrize("seed", range(4))
async def test_a_day_and_what_is_tried_of_earlier_ones_stay_below_the_quota(
    here: Scene, seed: int
) -> None:
    chance = random.Random(seed)
    days = Days(here, chance)
    await days.tell("d", 998, await days.today() - 1)
    for _ in range(STEPS):
        [what] = chance.choices(list(OFTEN), list(OFTEN.values()))
        days.done.append(what)
        await getattr(days, what)()
    assert sum(days.granted.values()) > QUOTA
