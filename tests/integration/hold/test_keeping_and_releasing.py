"""Mail that may not go yet waits durably and goes when it may."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from policy.limits import DAY
from policy.model import Profile
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import rows, states
from tests.support.pmta.standin import StandIn

CAMPAIGN = "Feedback-ID: ab123456789cd:{0}:ef123456789gh:1\r\nList-Unsubscribe: <https://x/>\r\n"
MESSAGE = (
    "From: Anna <news@mail1.acme.test>\r\nTo: you@dest.test\r\n"
    "Message-ID: <{0}@acme.test>\r\nSubject: Bonjour\r\n\r\nhello {0}\r\n"
)


async def until(condition: Callable[[], Awaitable[Any]], patience: float = 15.0) -> Any:
    """Wait until an observation is true."""
    async with asyncio.timeout(patience):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


async def next_day(gate: GatewayUnderTest) -> None:
    now, _ = await gate.admin.now()
    assert await gate.admin.set_clock((now // DAY + 1) * DAY + 60_000)


async def test_an_exhausted_pool_holds_and_the_next_day_releases(
    valkey_url: str, hold_url: str
) -> None:
    settings = holding(valkey_url, hold_url)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1, daily=2), port=pmta.smtp_port)) as gate,
        releaser(settings),
    ):
        wire = await gate.wire()
        answers = [await wire.send(f"r{n}@dest.test", body=MESSAGE.format(n)) for n in range(5)]
        assert [a[:3] for a in answers] == ["250"] * 5
        assert answers[2].endswith(" queued")
        assert [r["recipient"] for r in await rows(hold_url)] == [
            b"r2@dest.test", b"r3@dest.test", b"r4@dest.test",
        ]  # fmt: skip
        [first, *_] = await rows(hold_url)
        assert (first["reason"], first["state"]) == ("ip_quota", "held")
        assert len(await pmta.messages()) == 2

        await next_day(gate)
        await until(lambda: _received(pmta, 4))
        await until(lambda: _is(hold_url, {"done": 2, "held": 1}))
        await next_day(gate)
        await until(lambda: _is(hold_url, {"done": 3}))
        received = await pmta.messages()
        assert [m.rcpts for m in received] == [[f"r{n}@dest.test"] for n in range(5)]
        assert [m.content for m in received] == [MESSAGE.format(n).encode() for n in range(5)]
        await wire.close()


async def _received(pmta: StandIn, count: int) -> bool:
    return len(await pmta.messages()) >= count


async def _is(url: str, wanted: dict[str, int]) -> bool:
    return await states(url) == wanted


async def test_profile_mta_defers_and_holds_nothing(valkey_url: str, hold_url: str) -> None:
    settings = holding(valkey_url, hold_url)
    mta = tenant(profile=Profile.MTA)
    async with (
        StandIn.start() as pmta,
        gateway(
            settings, generation(vmta(1, daily=0), port=pmta.smtp_port, tenants=(mta,))
        ) as gate,
    ):
        wire = await gate.wire()
        assert (await wire.send("a@dest.test", body=MESSAGE.format(1))).startswith("451 4.7.1")
        assert await rows(hold_url) == []
        await wire.close()


async def test_a_repeat_of_a_held_message_is_acknowledged_and_dropped(
    valkey_url: str, hold_url: str
) -> None:
    settings = holding(valkey_url, hold_url, ledger={"denial_cache": 0.0})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1, daily=0), port=pmta.smtp_port)) as gate,
    ):
        wire = await gate.wire()
        first = await wire.send("a@dest.test", body=campaign_mail("s123456789", 1))
        again = await wire.send("a@dest.test", body=campaign_mail("s123456789", 2))
        other = await wire.send("a@dest.test", body=campaign_mail("t123456789", 3))
        assert first.endswith("queued")
        assert again == f"250 2.0.0 OK {first.split()[3]} (received before)"
        assert other.endswith("queued")
        assert len(await rows(hold_url)) == 2
        await wire.close()


async def test_a_repeat_that_met_a_remembered_denial_is_dropped_at_its_release(
    valkey_url: str, hold_url: str
) -> None:
    settings = holding(valkey_url, hold_url, ledger={"denial_cache": 60.0})
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1, daily=1), port=pmta.smtp_port)) as gate,
        releaser(settings),
    ):
        wire = await gate.wire()
        assert (await wire.send("x@dest.test", body=MESSAGE.format(0))).startswith("250")
        assert (await wire.send("x@dest.test", body=MESSAGE.format(1))).endswith("queued")
        for number in (2, 3):
            body = campaign_mail("s123456789", number)
            assert (await wire.send("a@dest.test", body=body)).endswith("queued")
        await gate.publish(generation(vmta(1, daily=10), number=2, port=pmta.smtp_port))
        await until(lambda: _is(hold_url, {"done": 3}))
        endings = [row["ending"] for row in await rows(hold_url)]
        assert endings == ["relayed", "relayed", "duplicate"]
        assert len(await pmta.messages()) == 3
        await wire.close()


def campaign_mail(subscriber: str, number: int) -> str:
    return CAMPAIGN.format(subscriber) + MESSAGE.format(number)


async def test_a_recipient_named_twice_waits_once(valkey_url: str, hold_url: str) -> None:
    settings = holding(valkey_url, hold_url)
    async with (
        StandIn.start() as pmta,
        gateway(settings, generation(vmta(1, daily=0), port=pmta.smtp_port)) as gate,
        releaser(settings),
    ):
        wire = await gate.wire()
        twice = ("a@dest.test", "b@dest.test", "a@DEST.test", '"a"@dest.test')
        assert (await wire.send(*twice, body=MESSAGE.format(1))).endswith(" queued")
        waiting = sorted(row["recipient"] for row in await rows(hold_url))
        assert waiting == [b"a@dest.test", b"b@dest.test"]
        await gate.publish(generation(vmta(1, daily=9), number=2, port=pmta.smtp_port))
        await until(lambda: _is(hold_url, {"done": 2}))
        assert sorted(m.rcpts for m in await pmta.messages()) == [["a@dest.test"], ["b@dest.test"]]
        assert await gate.used("192.0.2.1") == {"192.0.2.1": 2}
        await wire.close()
