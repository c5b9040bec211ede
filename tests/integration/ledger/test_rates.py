"""What limits of a minute and an hour take from before: a version's that counted by the calendar,
and a ledger's that was lost. Nothing goes twice."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from policy.denial import Denied
from policy.limits import DAY, HOUR, MINUTE
from policy.model import Rate
from tests.contract.asking import ask, decide, names
from tests.support.gateway.generations import generation, tenant
from tests.support.ledger.twins import MIDNIGHT, RedisUnderTest

NOON = MIDNIGHT + DAY // 2


class Upgraded:
    """A ledger on which a version before counts by the calendar, too."""

    def __init__(self, ledger: RedisUnderTest) -> None:
        self.ledger = ledger
        self.client, self.root = cast(Any, ledger.admin.client), ledger.admin.root

    def key(self, span: str, period: int, name: str) -> str:
        return f"{self.root}{span}:{period}:{name}"

    async def charged(self, at: int, count: int, name: str = "acme") -> None:
        """By a gateway of before, as its function did."""
        for span, length in (("minute", MINUTE), ("hour", HOUR)):
            key = self.key(span, at // length, name)
            await self.client.incrby(key, count)
            await self.client.expire(key, 2 * length // 1000)

    async def counted(self, at: int, name: str = "acme") -> list[int]:
        """What a gateway of before would see of its minute and its hour."""
        keys = [self.key("minute", at // MINUTE, name), self.key("hour", at // HOUR, name)]
        return [int(value or 0) for value in await self.client.mget(keys)]


@pytest.fixture
async def upgraded(valkey_url: str) -> AsyncIterator[Upgraded]:
    rate = Rate(minute=5, hour=8)
    plan = generation(tenants=(tenant(rate=rate),), rate=Rate(hour=100))
    ledger = await RedisUnderTest.start(valkey_url, plan)
    made = Upgraded(ledger)
    # As the version before opened it.
    await made.client.hdel(f"{made.root}inc", "smooth")
    await ledger.at(NOON + 10_000)
    yield made
    await ledger.close()


async def test_what_was_charged_in_the_running_periods_counts(upgraded: Upgraded) -> None:
    await upgraded.charged(NOON, 4)
    decisions = await decide(upgraded.ledger, ask(), ask())
    assert names(decisions) == ["vmta-1", "tenant_minute"]
    assert isinstance(decisions[1], Denied)
    assert decisions[1].used == 5
    # Of the period before, too: it may have been charged a moment ago.
    await upgraded.ledger.at(NOON + 2 * MINUTE)
    assert names(await decide(upgraded.ledger, *[ask()] * 4))[3] == "tenant_hour"


async def test_the_hour_before_counts_until_an_hour_after_its_end(upgraded: Upgraded) -> None:
    await upgraded.charged(NOON - MINUTE, 8)
    [denied] = await decide(upgraded.ledger, ask())
    assert isinstance(denied, Denied)
    assert (denied.limit.value, denied.until) == ("tenant_hour", NOON - 1 + HOUR)


async def test_while_both_versions_run_each_counts_what_the_other_charged(
    upgraded: Upgraded,
) -> None:
    assert names(await decide(upgraded.ledger, ask(), ask())) == ["vmta-1"] * 2
    assert await upgraded.counted(NOON) == [2, 2]
    await upgraded.charged(NOON, 2)
    assert names(await decide(upgraded.ledger, ask(), ask())) == ["vmta-1", "tenant_minute"]
    assert await upgraded.counted(NOON) == [5, 5]
    await upgraded.ledger.at(NOON + 2 * MINUTE)
    await upgraded.charged(NOON + 2 * MINUTE, 2)
    assert names(await decide(upgraded.ledger, ask(), ask())) == ["vmta-1", "tenant_hour"]
    assert await upgraded.counted(NOON + 2 * MINUTE, "") == [0, 4]


async def test_a_day_later_the_calendars_counters_are_left_alone(upgraded: Upgraded) -> None:
    await decide(upgraded.ledger, ask())
    later = NOON + DAY + HOUR
    await upgraded.ledger.at(later)
    assert names(await decide(upgraded.ledger, ask())) == ["vmta-1"]
    assert await upgraded.counted(later) == [0, 0]
    keys = [key async for key in upgraded.client.scan_iter(f"{upgraded.root}rate*")]
    assert all([await upgraded.client.ttl(key) > 0 for key in keys])


async def test_after_a_loss_a_span_counts_as_used_up_once(valkey_url: str) -> None:
    plan = generation(tenants=(tenant(rate=Rate(minute=3, hour=9)),))
    ledger = await RedisUnderTest.start(valkey_url, plan)
    try:
        await decide(ledger, ask())
        before = await ledger.admin.incarnation()
        assert await ledger.admin.close(before)
        await ledger.admin.open(lost=True)
        opened, _ = await ledger.admin.now()
        [denied] = await decide(ledger, ask())
        assert isinstance(denied, Denied)
        assert denied.limit.value == "tenant_hour"
        assert abs(denied.until - opened - HOUR) < 1_000
        await ledger.at(opened + HOUR - 1_000)
        assert names(await decide(ledger, ask())) == ["tenant_hour"]
        await ledger.at(denied.until)
        assert names(await decide(ledger, *[ask()] * 4))[2:] == ["vmta-1", "tenant_minute"]
    finally:
        await ledger.close()


async def test_after_a_loss_that_a_clock_put_back_has_yet_to_reach_a_span_is_over_too(
    valkey_url: str,
) -> None:
    plan = generation(tenants=(tenant(rate=Rate(minute=3)),))
    ledger = await RedisUnderTest.start(valkey_url, plan)
    try:
        await ledger.at(NOON + 9 * DAY)
        assert await ledger.admin.close(await ledger.admin.incarnation())
        await ledger.admin.open(lost=True)
        await ledger.at(NOON)
        assert names(await decide(ledger, ask())) == ["tenant_minute"]
        await ledger.at(NOON + MINUTE + 1_000)
        assert names(await decide(ledger, ask())) == ["vmta-1"]
    finally:
        await ledger.close()


async def test_opened_for_the_first_time_nothing_was_before(valkey_url: str) -> None:
    ledger = await RedisUnderTest.start(valkey_url, generation(rate=Rate(minute=1, hour=1)))
    assert names(await decide(ledger, ask())) == ["vmta-1"]
    await ledger.close()
