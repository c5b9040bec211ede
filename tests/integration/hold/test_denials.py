"""What a held message waits for ends with the plan that said so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.releaser import ReleaserProcess
from policy.limits import DAY
from policy.model import MailboxLimits, Rate
from tests.integration.hold.test_keeping_and_releasing import campaign_mail, until
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import rows
from tests.support.pmta.standin import StandIn

CAMPAIGN = "ab123456789cd"


class Case:
    """A gateway and a releaser by a plan that changes."""

    def __init__(
        self, url: str, gate: GatewayUnderTest, pmta: StandIn, releasing: ReleaserProcess
    ) -> None:
        self.url = url
        self.releasing = releasing
        self.gate = gate
        self.pmta = pmta
        self._number = 1

    async def plan(self, **terms: Any) -> None:
        self._number += 1
        await self.gate.publish(_plan(self.pmta, self._number, terms))

    async def send(self, number: int) -> None:
        wire = await self.gate.wire()
        body = campaign_mail(f"s12345678{number}", number)
        assert (await wire.send("a@dest.test", body=body)).startswith("250")
        await wire.close()

    async def waiting(self) -> list[tuple[str, bool, bool]]:
        found = await rows(self.url, "state = 'held'")
        return [(row["reason"], row["waiting"], row["paused"]) for row in found]

    async def used(self, count: int) -> bool:
        return await self.gate.used("192.0.2.1") == {"192.0.2.1": count}

    async def all_wait(self) -> bool:
        return all(waiting for _, waiting, _ in await self.waiting())

    async def all_go(self, patience: float) -> None:
        async def gone() -> bool:
            return await self.waiting() == []

        await until(gone, patience)


def _plan(pmta: StandIn, number: int, terms: dict[str, Any]) -> Any:
    return generation(vmta(1), number=number, port=pmta.smtp_port, tenants=(tenant(**terms),))


@contextlib.asynccontextmanager
async def case(
    valkey_url: str, hold_url: str, look: float = 300.0, claim: int = 100, **terms: Any
) -> AsyncIterator[Case]:
    settings = holding(valkey_url, hold_url, hold={"mailbox_look": look, "claim": claim})
    async with (
        StandIn.start() as pmta,
        gateway(settings, _plan(pmta, 1, terms)) as gate,
        releaser(settings) as own,
    ):
        yield Case(hold_url, gate, pmta, own)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            {"mailbox_default": MailboxLimits(daily_max=1)},
            {"mailbox_default": MailboxLimits(daily_max=100)},
            "mailbox_max",
        ),
        (
            {"mailbox_default": MailboxLimits(spacing=3600.0)},
            {"mailbox_default": MailboxLimits(spacing=0.01)},
            "mailbox_spacing",
        ),
        ({"rate": Rate(hour=1)}, {"rate": Rate(hour=100)}, "tenant_hour"),
    ],
    ids=["mailbox maximum", "spacing", "tenant rate"],
)
async def test_what_waits_for_a_limit_goes_when_it_is_raised(
    valkey_url: str, hold_url: str, before: Any, after: Any, reason: str
) -> None:
    async with case(valkey_url, hold_url, **before) as it:
        for number in range(3):
            await it.send(number)
        held = await it.waiting()
        assert [why for why, *_ in held] == [reason] * 2
        await it.plan(**after)
        # Within a sweep: two seconds in tests.
        await it.all_go(6.0)


@pytest.mark.parametrize("claim", [1, 100], ids=["one looked at", "all looked at"])
@pytest.mark.parametrize(
    ("limits", "apart"),
    [
        (MailboxLimits(spacing=7200.0, spacing_max=9000.0), 7_200_000),
        (MailboxLimits(rate=Rate(hour=1)), 3_600_000),
        (MailboxLimits(daily_max=1), 0),
    ],
    ids=["spacing", "an hour", "maximum"],
)
async def test_what_waits_for_its_mailbox_is_due_one_after_the_other(
    valkey_url: str, hold_url: str, claim: int, limits: MailboxLimits, apart: int
) -> None:
    """Or each that goes would have all the others looked at and put to rest again."""
    async with case(valkey_url, hold_url, claim=claim, mailbox_default=limits) as it:
        for number in range(5):
            await it.send(number)
        # Another one, by which all of them are looked at.
        await it.plan(mailbox_default=limits)

        async def in_line() -> bool:
            found = await rows(it.url, "state = 'held'")
            first, *others = sorted(row["due"] for row in found)
            until = {row["until"] for row in found}
            wanted = [max(until) + place * apart for place in (1, 2, 3)]
            return len(until) == 1 and others == wanted and 0 < first < max(until)

        await until(in_line, 8.0)


async def test_a_change_of_something_else_leaves_what_rests_alone(
    valkey_url: str, hold_url: str
) -> None:
    limits = {"mailbox_default": MailboxLimits(daily_max=1)}
    async with case(valkey_url, hold_url, **limits) as it:
        for number in range(4):
            await it.send(number)

        async def looked() -> bool:
            return not it.releasing.releaser._renewals

        async def readied() -> list[str]:
            return [str(row["readied"]) for row in await rows(it.url, "state = 'held'")]

        await until(looked, 8.0)
        await until(it.all_wait, 8.0)
        before = await readied()
        for number in range(2):
            await it.plan(max_recipients=7 + number, **limits)
            # The plan is swapped before its publication is over.
            await until(looked, 8.0)
        assert await readied() == before
        await it.gate.admin.stir()

        async def all_again() -> bool:
            return not set(before) & set(await readied())

        await until(all_again, 8.0)


async def test_a_clock_that_is_put_back_keeps_nothing_at_rest_until_it_is_as_late_again(
    valkey_url: str, hold_url: str
) -> None:
    limits = MailboxLimits(daily_max=1)
    async with case(valkey_url, hold_url, mailbox_default=limits) as it:
        admin = it.gate.admin
        real, _ = await admin.now()
        today = real // DAY

        async def noon_of(day: int) -> None:
            await admin.client.set(f"{admin.root}offset", day * DAY + DAY // 2 - real)

            async def all_know() -> bool:
                clocks = it.releasing.parts.clock, it.gate.worker.parts.clock
                return all(clock.now() // DAY == day for clock in clocks)

            await until(all_know, 8.0)

        async def rest_until(day: int) -> bool:
            found = await rows(it.url, "state = 'held'")
            return all(row["waiting"] and row["until"] == day * DAY for row in found)

        await noon_of(today + 9)
        for number in range(3):
            await it.send(number)

        async def looked() -> bool:
            # The plan that came at the start has everything looked at twice.
            return not it.releasing.releaser._renewals and await rest_until(today + 10)

        await until(looked, 8.0)
        await noon_of(today)
        await until(lambda: rest_until(today + 1), 8.0)


async def test_a_campaign_that_is_resumed_goes(valkey_url: str, hold_url: str) -> None:
    """Its rows left the way of others; the plan alone brings them back."""
    async with case(valkey_url, hold_url, mailbox_default=MailboxLimits(daily_max=1)) as it:
        for number in range(4):
            await it.send(number)
        await it.plan(paused_campaigns=(CAMPAIGN,))

        async def aside() -> bool:
            return await it.waiting() == [("campaign_paused", False, True)] * 3

        await until(aside)
        await it.plan()
        await it.all_go(6.0)
        await it.pmta.until_messages(4)


async def test_a_place_given_back_is_taken_before_midnight(valkey_url: str, hold_url: str) -> None:
    """A mailbox may send twice: one message is refused late, and what was denied meanwhile goes."""
    limits = MailboxLimits(daily_max=2)
    async with case(valkey_url, hold_url, look=0.5, mailbox_default=limits) as it:

        async def only_looks_are_left() -> bool:
            return not it.releasing.releaser._renewals

        # The plan that came at the start has everything looked at twice.
        await until(only_looks_are_left, 6.0)
        await it.send(0)
        await it.pmta.fault(reply_delay=2.0)
        wire = await it.gate.wire()
        refused = asyncio.create_task(
            wire.send("refuse@dest.test", body=campaign_mail("s123456781", 1))
        )
        await until(lambda: it.used(2))
        for number in (2, 3, 4):
            await it.send(number)
        assert [why for why, *_ in await it.waiting()] == ["mailbox_max"] * 3
        assert not refused.done()
        assert (await refused).startswith("550")
        await wire.close()
        await it.pmta.fault(reply_delay=0.0)

        async def one_went() -> bool:
            return len(await it.waiting()) == 2

        await until(one_went, 6.0)
        await it.pmta.until_messages(2)
        # What was called and found no place rests again.
        await until(it.all_wait, 6.0)
        assert await it.used(2)
