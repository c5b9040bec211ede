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
    Change,
    EntryState,
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


def _sent(number: int) -> Change:
    return Change(f"k{number}", "one", 1, EntryState.SENT)


def _kinds(gate: Gate) -> list[tuple[int, int]]:
    """Of each call: reservations, changes."""
    kinds = [[type(item) for item in batch] for batch in gate.batches]
    return [(batch.count(Reserve), batch.count(Change)) for batch in kinds]


async def test_changes_take_no_place_of_a_reservation() -> None:
    """Every campaign mail has one: calls half as large would cost the ledger twice as much."""
    gate = Gate(daily=100)
    waiting = reserver(gate)
    gate.open.clear()
    tasks = [asyncio.create_task(waiting.reserve(ASK))]
    while not gate.batches:
        await asyncio.sleep(0)
    for number in range(9):
        waiting.change(_sent(number))
        tasks.append(asyncio.create_task(waiting.reserve(ASK)))
        await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(*tasks)
    await waiting.drain()
    assert _kinds(gate) == [(1, 0), (4, 4), (4, 4), (1, 1)]


async def test_what_nobody_waits_for_makes_no_call_of_its_own_at_once() -> None:
    gate = Gate(daily=100)
    waiting = reserver(gate)
    gate.open.clear()
    first = asyncio.create_task(waiting.reserve(ASK))
    while not gate.batches:
        await asyncio.sleep(0)
    waiting.change(_sent(1))
    gate.open.set()
    await first
    for _ in range(20):
        await asyncio.sleep(0)
    await waiting.reserve(ASK)
    assert _kinds(gate) == [(1, 0), (1, 1)]
    waiting.change(_sent(2))
    async with asyncio.timeout(REFUND_DELAY * 20):
        while len(gate.batches) < 3:
            await asyncio.sleep(REFUND_DELAY / 10)
    assert _kinds(gate)[2:] == [(0, 1)]


async def test_many_changes_gather_reservations_all_the_same() -> None:
    """As many as fill a call twice; sessions ask one turn of the loop after the other."""
    gate = Gate(daily=100)
    waiting = reserver(gate, batch=32)
    for number in range(16):
        waiting.change(_sent(number))

    async def later(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await waiting.reserve(ASK)

    await asyncio.gather(*(later(turns) for turns in range(4)))
    assert _kinds(gate) == [(4, 16)]


async def test_changes_that_fill_a_call_go_at_once() -> None:
    gate = Gate(daily=100)
    waiting = reserver(gate)
    gate.error = LedgerAwayError("gone")
    for number in range(11):
        waiting.change(_sent(number))
    await waiting.drain()
    gate.error = None
    gate.batches.clear()
    await waiting.probe()
    for _ in range(30):
        await asyncio.sleep(0)
    assert _kinds(gate) == [(0, 0), (0, 4), (0, 4)]
    await waiting.drain()
    assert _kinds(gate)[3:] == [(0, 3)]


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
