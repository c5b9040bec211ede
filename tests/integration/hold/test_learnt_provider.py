"""A held recipient goes under the provider that its domain is known to have when it goes."""

from collections.abc import Iterator
from typing import Any

import pytest

from policy.ledger.learnt import LearntTable
from policy.provider import learn, provider_of
from tests.integration.hold.test_keeping_and_releasing import MESSAGE, next_day, until
from tests.support.gateway.generations import generation, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, holding, releaser
from tests.support.hold.database import rows
from tests.support.pmta.standin import StandIn

QUOTA, CEILING = 4, 2
HOSTED = "hosted.example"


@pytest.fixture(autouse=True)
def _unlearnt() -> Iterator[None]:
    learn({})
    yield
    learn({})


async def learnt(gate: GatewayUnderTest, provider: str) -> None:
    """Control says so, and this process has heard of it."""
    told = LearntTable(gate.admin.client, gate.admin.name)
    await told.write(f"of {provider}", {HOSTED: provider})

    async def heard() -> bool:
        return provider_of(HOSTED) == provider

    await until(heard)


async def waiting(url: str) -> list[tuple[str, str]]:
    """(provider, reason) of those that are held."""
    return [(r["provider"], r["reason"]) for r in await rows(url) if r["state"] == "held"]


async def test_what_was_held_before_its_provider_was_known_keeps_to_its_ceiling(
    valkey_url: str, hold_url: str
) -> None:
    settings = holding(valkey_url, hold_url, ledger={"denial_cache": 0.0})
    async with StandIn.start() as pmta:
        plan = generation(
            vmta(1, daily=QUOTA, ceilings={"microsoft": CEILING}), port=pmta.smtp_port
        )
        async with gateway(settings, plan) as gate, releaser(settings):
            wire = await gate.wire()
            for number in range(QUOTA):
                assert (await wire.send("a@dest.test", body=MESSAGE.format(number)))[:3] == "250"
            for number in range(QUOTA):
                answer = await wire.send(f"u{number}@{HOSTED}", body=MESSAGE.format(10 + number))
                assert answer.endswith(" queued")
            await wire.close()
            assert await waiting(hold_url) == [("other", "ip_quota")] * QUOTA
            await learnt(gate, "microsoft")
            await next_day(gate)

            async def settled() -> Any:
                return await waiting(hold_url) == [("microsoft", "ip_provider")] * (QUOTA - CEILING)

            await until(settled)
            await until(lambda: _received(pmta, QUOTA + CEILING))
            # Not known any more: what is known of the row is more.
            await learnt(gate, "other")
            await next_day(gate)
            await until(lambda: _received(pmta, 2 * QUOTA))
            _, usage = await gate.admin.usage(["192.0.2.1"])
            assert usage["192.0.2.1"].by_provider == {"microsoft": QUOTA - CEILING}


async def _received(pmta: StandIn, count: int) -> bool:
    return len(await pmta.messages()) == count
