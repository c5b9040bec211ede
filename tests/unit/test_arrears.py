"""Changes of entries wait for a ledger that is away: none is lost, new mail gives way."""

import pytest

from gateway.ledger.arrears import Arrears
from policy.ledger.memory import MemoryLedger
from policy.ledger_port import ENDED, Change, EntryState, LedgerAwayError, Look
from tests.support.gateway.generations import generation, vmta
from tests.support.ledger.twins import MIDNIGHT
from tests.unit.test_reserve import Gate, reserver

HELD, SENT, FREE, DOUBT = EntryState.HELD, EntryState.SENT, EntryState.FREE, EntryState.DOUBT
MANY = 100_001


def change(state: EntryState, attempt: int = 1, key: str = "k", owner: str = "m1") -> Change:
    return Change(key, owner, attempt, state, "pmta1" if state is DOUBT else "")


@pytest.mark.parametrize(
    "changes",
    [
        [change(HELD, 0), change(DOUBT), change(SENT)],
        [change(HELD, 0), change(DOUBT), change(HELD)],
        [change(SENT), change(HELD), change(FREE, ENDED)],
        [change(HELD, 2), change(HELD, 1), change(FREE, 1)],
        [change(HELD), change(FREE, ENDED), change(HELD)],
        [change(FREE), change(HELD), change(HELD, 2)],
        [change(HELD), change(FREE, ENDED), change(HELD, 0, owner="m2")],
        [change(FREE), change(HELD, 0, owner="m2"), change(SENT, 1, owner="m2")],
    ],
    ids=lambda changes: " ".join(f"{c.state}{c.attempt}" for c in changes),
)
async def test_put_together_they_tell_the_ledger_what_they_told_apart(
    changes: list[Change],
) -> None:
    """Compared with a ledger that was there all the time."""
    apart, together = (MemoryLedger(generation(vmta(1)), now=MIDNIGHT) for _ in range(2))
    for one in changes:
        await apart.decide([one])
    arrears = Arrears(10)
    arrears.keep(changes)
    await together.decide(arrears.take())
    found = [(await ledger.decide([Look("k")])).decisions for ledger in (apart, together)]
    assert found[0] == found[1]
    assert len(arrears) == 0


async def test_however_many_wait_the_first_one_arrives() -> None:
    gate = Gate(daily=10)
    waiting = reserver(gate, batch=1000)
    gate.error = LedgerAwayError("away")
    for number in range(MANY):
        waiting.change(change(HELD, 0, key=f"k{number}", owner=f"m{number}"))
    await waiting.drain()
    assert len(waiting.arrears) == MANY
    assert waiting.arrears.share > 1.0
    gate.error = None
    await waiting.drain()
    assert len(waiting.arrears) == 0
    [entry] = (await gate.twin.decide([Look("k0")])).decisions
    assert entry is not None
    assert entry.owner == "m0"


async def test_what_waits_in_the_queue_of_a_ledger_that_is_away_is_counted_too() -> None:
    gate = Gate(daily=10)
    waiting = reserver(gate, batch=4)
    gate.error = LedgerAwayError("away")
    for number in range(50):
        waiting.change(change(HELD, 0, key=f"k{number % 10}", owner=f"m{number % 10}"))
    await waiting.drain()
    assert len(waiting.arrears) == 10
