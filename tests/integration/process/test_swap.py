"""A plan of 100,000 mailboxes is swapped in while clients wait: no turn of the gateway's loop takes
so much of the processor that an answer would be 20 ms late.

By the processor's time of each turn, not by the clock: what else the machine does is no gateway's.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.entry import _COLLECT_AFTER
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.model import MailboxLimits, Pool, Tenant
from policy.plan import Generation
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.gateway.worker import GatewayUnderTest, gateway, settings_for

MAILBOXES = 100_000
MOST = 0.020


class Turns:
    """The longest turn of the loop since it was asked, in seconds of the processor."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.what = ""

    def take(self) -> tuple[float, str]:
        found = self.longest, self.what
        self.longest, self.what = 0.0, ""
        return found


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Turns]:
    """With the collector as gateways have it: what pytest loaded is no gateway's."""
    found, run, own = Turns(), asyncio.Handle._run, threading.get_ident()

    def timed(handle: Any) -> None:
        began = time.thread_time()
        run(handle)
        took = time.thread_time() - began
        if took > found.longest and threading.get_ident() == own:
            found.longest, found.what = took, repr(handle)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)
    yield found
    gc.set_threshold(*before)
    gc.unfreeze()


def _plan(number: int, tenants: int, least: int) -> Generation:
    """The last tenant's mailboxes are as `least` says."""
    each = MAILBOXES // tenants
    rows = tuple(vmta(n) for n in range(1, 101))
    found: list[Tenant] = []
    for place in range(tenants):
        limits = MailboxLimits(
            daily_min=least if place == tenants - 1 else 30, daily_max=50, spacing=5.0, ramp=(5, 9)
        )
        names = {f"sender-{n}@t{place}.test": limits for n in range(each)}
        found.append(tenant(f"t{place}", mailboxes=names))
    pools = tuple(Pool(name=one.default_pool, tenant=one.name) for one in found)
    first = msgspec.structs.replace(pools[0], members=tuple(row.name for row in rows))
    return generation(*rows, number=number, tenants=tuple(found), pools=(first, *pools[1:]))


@pytest.mark.parametrize("tenants", [100, 1])
def test_a_swap_keeps_nobody_waiting(valkey_url: str, turns: Turns, tenants: int) -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(_swap(valkey_url, turns, tenants))


async def _swap(url: str, turns: Turns, tenants: int) -> None:
    async with gateway(settings_for(url), generation(vmta(1))) as worker:
        for number, least in ((2, 30), (3, 40)):
            turns.take()
            await asyncio.to_thread(_publish, url, number, tenants, least)
            await _runs(worker, number)
            longest, what = turns.take()
            assert 0.0 < longest < MOST, (number, what)


async def _runs(gateway: GatewayUnderTest, number: int) -> None:
    async with asyncio.timeout(60):
        while (plan := gateway.worker.parts.feed.current) is None or plan.number != number:
            await asyncio.sleep(0.01)


def _publish(url: str, number: int, tenants: int, least: int) -> None:
    """In another thread, as in another process: encoding it is not the gateway's work."""

    async def publish() -> None:
        client = connect(url)
        await LedgerAdmin(client).publish(_plan(number, tenants, least))
        await client.aclose()

    asyncio.run(publish())
