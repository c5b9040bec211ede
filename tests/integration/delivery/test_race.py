"""The race that breaks naive quotas, and the proof that this test can fail.

Four gateways, 64 connections, 640 messages against quotas that sum to 100. With the atomic step
PowerMTA gets exactly 100. With the step split in two on purpose (look, then charge), it gets
more: every gateway sees the same last free place.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from gateway.worker import Worker
from policy.ledger.ledger import RedisLedger
from policy.ledger_port import Answer, Granted, Item, Reserve
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for
from tests.support.pmta.standin import StandIn
from tests.support.session.smtpwire import SmtpWire

QUOTAS = {1: 10, 2: 25, 3: 1, 4: 64}
MESSAGE = "From: a@acme.test\r\nSubject: x\r\n\r\nhello\r\n"


class SplitLedger(RedisLedger):
    """The atomic step broken on purpose: a look and a charge, with time in between."""

    async def decide(self, items: Sequence[Item]) -> Answer:
        looks = [
            Reserve(i.tenant, i.pool, i.mailbox, i.providers, i.away, i.broken, dry=True)
            for i in items
            if isinstance(i, Reserve)
        ]
        answer = await super().decide(looks)
        for decision in answer.decisions:
            if isinstance(decision, Granted):
                key = f"{self.root}day:{decision.at // 86_400_000}:{decision.ip}"
                await self.client.hincrby(key, "n", 1)  # type: ignore[misc]
        return answer


def break_the_step(worker: Worker) -> None:
    ledger = worker.parts.ledger
    worker.parts.reserver._ledger = SplitLedger(ledger.client, "main")


async def offer(port: int) -> list[str]:
    wire = await SmtpWire.open(port)
    try:
        return [await wire.send("you@dest.test", body=MESSAGE) for _ in range(10)]
    finally:
        await wire.close()


@pytest.mark.parametrize("broken", [False, True], ids=["atomic", "broken on purpose"])
async def test_quotas_under_a_race(valkey_url: str, broken: bool) -> None:
    rows = [vmta(number, daily=quota) for number, quota in QUOTAS.items()]
    house = tenant(networks=("127.0.0.0/8",))
    async with StandIn.start(store="headers") as pmta, contextlib.AsyncExitStack() as stack:
        plan = generation(*rows, port=pmta.smtp_port, tenants=(house,))
        settings = settings_for(valkey_url, ledger={"denial_cache": 0.0})
        gates: list[GatewayUnderTest] = []
        for index in range(4):
            gates.append(
                await stack.enter_async_context(gateway(settings, None if index else plan))
            )
            if broken:
                break_the_step(gates[-1].worker)
        replies = await asyncio.gather(*(offer(gates[n % 4].port) for n in range(64)))
        accepted = sum(reply.startswith("250") for one in replies for reply in one)
        report = await pmta.report()
        by_vmta = {name: entry["messages"] for name, entry in report["by_vmta"].items()}
        if broken:
            assert accepted > 100
            assert any(by_vmta[row.name] > int(row.daily) for row in rows)
        else:
            assert accepted == 100
            assert by_vmta == {row.name: row.daily for row in rows}
