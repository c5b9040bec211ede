"""Group commit: batches, refunds, remembered denials, a ledger that is away."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from gateway.ledger.reserve import REFUND_DELAY, Reserver
from policy.denial import Denied, Limit
from policy.ledger.memory import MemoryLedger
from policy.ledger_port import (
    Answer,
    Granted,
    Item,
    LedgerAwayError,
    LedgerClosedError,
    Refund,
    Reserve,
)
from tests.support.gateway.generations import generation, vmta
from tests.support.ledger.twins import MIDNIGHT


class Gate:
    """A ledger whose calls wait until the test lets them through, or fail."""

    def __init__(self, daily: int) -> None:
        self.twin = MemoryLedger(generation(vmta(1, daily=daily)), now=MIDNIGHT)
        self.batches: list[list[Item]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def decide(self, items: Sequence[Item]) -> Answer:
        self.batches.append(list(items))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return await self.twin.decide(items)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def reserver(gate: Gate, clock: Clock | None = None, batch: int = 4) -> Reserver:
    return Reserver(
        gate,
        batch=batch,
        denial_cache=1.0,
        clock=clock or Clock(),
    )


ASK = Reserve("acme", "acme-pool", "a@acme.test", (("gmail", 1),))


async def test_what_comes_during_a_call_travels_together_in_the_next() -> None:
    gate = Gate(daily=100)
    gate.open.clear()
    waiting = reserver(gate)
    tasks = [asyncio.create_task(waiting.reserve(ASK)) for _ in range(1)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(waiting.reserve(ASK)) for _ in range(6)]
    await asyncio.sleep(0)
    gate.open.set()
    decisions = await asyncio.gather(*tasks)
    assert all(isinstance(decision, Granted) for decision in decisions)
    assert [len(batch) for batch in gate.batches] == [1, 4, 2]


async def test_a_denial_is_remembered_under_its_own_limit_only() -> None:
    gate, clock = Gate(daily=1), Clock()
    waiting = reserver(gate, clock)
    await waiting.reserve(ASK)
    first = await waiting.reserve(ASK)
    assert isinstance(first, Denied)
    assert first.limit is Limit.IP_QUOTA
    assert await waiting.reserve(ASK) == first
    assert len(gate.batches) == 2
    await waiting.reserve(msgspec.structs.replace(ASK, providers=(("other", 1),)))
    assert len(gate.batches) == 3
    clock.now = 1.1
    await waiting.reserve(ASK)
    assert len(gate.batches) == 4
    waiting.forget_denials()
    await waiting.reserve(ASK)
    assert len(gate.batches) == 5


async def test_a_denial_of_many_recipients_says_nothing_about_one() -> None:
    gate = Gate(daily=2)
    waiting = reserver(gate)
    three = msgspec.structs.replace(ASK, providers=(("gmail", 3),))
    assert isinstance(await waiting.reserve(three), Denied)
    assert isinstance(await waiting.reserve(ASK), Granted)


async def test_a_refund_leaves_by_itself_and_opens_the_way_again() -> None:
    gate = Gate(daily=1)
    waiting = reserver(gate)
    charge = await waiting.reserve(ASK)
    assert isinstance(charge, Granted)
    assert isinstance(await waiting.reserve(ASK), Denied)
    waiting.refund(charge)
    async with asyncio.timeout(REFUND_DELAY * 20):
        while not any(isinstance(item, Refund) for batch in gate.batches for item in batch):
            await asyncio.sleep(REFUND_DELAY / 10)
    await waiting.drain()
    assert isinstance(await waiting.reserve(ASK), Granted)


async def test_a_refund_travels_with_the_next_reservation() -> None:
    gate = Gate(daily=5)
    waiting = reserver(gate)
    charge = await waiting.reserve(ASK)
    assert isinstance(charge, Granted)
    waiting.refund(charge)
    await waiting.reserve(ASK)
    assert [type(item) for item in gate.batches[1]] == [Refund, Reserve]


@pytest.mark.parametrize(
    ("error", "limit", "state"),
    [
        (LedgerAwayError("gone"), Limit.LEDGER_AWAY, "away"),
        (LedgerClosedError("closed"), Limit.LEDGER_CLOSED, "closed"),
    ],
)
async def test_without_a_ledger_nothing_is_granted(
    error: Exception, limit: Limit, state: str
) -> None:
    gate = Gate(daily=5)
    waiting = reserver(gate)
    charge = await waiting.reserve(ASK)
    assert isinstance(charge, Granted)
    gate.error = error
    waiting.refund(charge)
    denied = await waiting.reserve(ASK)
    assert isinstance(denied, Denied)
    assert denied.limit is limit
    assert waiting.state == state
    gate.error = None
    # The lost refund is not repeated: charges are too high, never too low.
    assert isinstance(await waiting.reserve(ASK), Granted)
    assert not any(isinstance(item, Refund) for item in gate.batches[-1])
    assert waiting.state == "open"


async def test_who_waits_behind_a_dead_ledger_is_told_at_once() -> None:
    gate = Gate(daily=500)
    waiting = reserver(gate, batch=4)
    gate.open.clear()
    tasks = [asyncio.create_task(waiting.reserve(ASK)) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gate.error = LedgerAwayError("gone")
    gate.open.set()
    decisions = await asyncio.gather(*tasks)
    assert {d.limit for d in decisions if isinstance(d, Denied)} == {Limit.LEDGER_AWAY}
    assert len(decisions) == 100
    # One call went out and failed; the others did not wait for calls of their own.
    assert len(gate.batches) == 1


async def test_drain_sends_the_last_refunds() -> None:
    gate = Gate(daily=5)
    waiting = reserver(gate)
    charge = await waiting.reserve(ASK)
    assert isinstance(charge, Granted)
    waiting.refund(charge)
    await waiting.drain()
    assert isinstance(gate.batches[-1][0], Refund)


async def test_who_waits_too_long_is_turned_away_and_its_charge_comes_back() -> None:
    gate = Gate(daily=1)
    gate.open.clear()
    waiting = reserver(gate)
    soon = asyncio.get_running_loop().time() + 0.05
    # The second one's time is over first: its timer must not wait for the first one's.
    patient = asyncio.create_task(waiting.reserve(ASK, soon + 60))
    hasty = asyncio.create_task(waiting.reserve(ASK, soon))
    denied = await asyncio.wait_for(hasty, 5)
    assert isinstance(denied, Denied)
    assert denied.limit is Limit.LEDGER_AWAY
    assert not patient.done()
    patient.cancel()
    await asyncio.wait([patient])
    gate.open.set()
    await waiting.drain()
    refunds = [item for batch in gate.batches for item in batch if isinstance(item, Refund)]
    assert len(refunds) == 1  # the day has one place: who was denied has nothing to give back
    assert isinstance(await waiting.reserve(ASK), Granted)


async def test_a_charge_answered_in_the_moment_of_a_cancellation_comes_back() -> None:
    gate = Gate(daily=1)
    waiting = reserver(gate)
    task = asyncio.create_task(waiting.reserve(ASK))
    while waiting._flying or not gate.batches:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await waiting.drain()
    assert isinstance(gate.batches[-1][-1], Refund)
