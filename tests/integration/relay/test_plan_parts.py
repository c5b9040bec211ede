"""A gateway and a plan of which a part is missing or spoilt: it keeps the one it has, says so, and
takes the other one when it is mended."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from policy.division import Divider
from policy.model import MailboxLimits
from policy.plan import Generation, encode
from tests.support.gateway.generations import generation, tenant
from tests.support.gateway.worker import gateway, settings_for


def plan(number: int, most: int) -> Generation:
    own = {"anna@acme.test": MailboxLimits(daily_max=most)}
    return generation(number=number, tenants=(tenant(mailboxes=own),))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("there", [None, b"\x80"])
async def test_a_gateway_stays_with_the_plan_it_has(valkey_url: str, there: bytes | None) -> None:
    async with gateway(settings_for(valkey_url), plan(1, 1)) as gate:
        await gate.publish(plan(2, 2))
        await until(lambda: gate.worker.parts.feed.current == plan(2, 2))
        feed, admin = gate.worker.parts.feed, gate.admin
        client: Any = admin.client
        before = feed.current
        division = Divider().divide(plan(3, 3))
        [part] = division.mailboxes["acme"]
        key = f"{admin.root}part:{part.digest.hex()}"
        if there is not None:
            await client.set(key, there)
        # No publication would: it looks whether each is there.
        await client.set(f"{admin.root}gen:3", division.manifest)
        await client.set(f"{admin.root}gen", 3)
        await until(lambda: bool(gate.log_lines("generation_refused")))
        await feed._look()
        await feed._look()
        [line] = gate.log_lines("generation_refused")
        said = "missing" if there is None else "spoilt: its digest is another one"
        assert line["why"] == f"its part {part.digest.hex()} (mailboxes) is {said}"
        assert line["number"] == 3
        assert feed.current is before
        # Control hears of it with the next sign of life.
        async with asyncio.timeout(20):
            while await admin.workers() != {"worker-test": 2}:
                await asyncio.sleep(0.02)
        await client.set(key, part.body())
        await until(lambda: feed.current is not before)
        assert feed.current == plan(3, 3)


async def test_a_plan_of_a_control_of_before_is_read_whole(valkey_url: str) -> None:
    async with gateway(settings_for(valkey_url), plan(1, 1)) as gate:
        client: Any = gate.admin.client
        await client.set(f"{gate.admin.root}gen:2", encode(plan(2, 2)))
        await client.set(f"{gate.admin.root}gen", 2)
        feed = gate.worker.parts.feed
        await until(lambda: feed.current == plan(2, 2))
        await gate.publish(plan(3, 3))
        await until(lambda: feed.current == plan(3, 3))
