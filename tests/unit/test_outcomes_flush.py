"""What a gateway tells of its messages: little work a turn, and no trouble ends the worker."""

import asyncio
import json
from typing import Any

import pytest
from redis.exceptions import ConnectionError as AwayError

from gateway.ledger import outcomes
from gateway.ledger.outcomes import QUEUE, TURN, Outcomes
from gateway.watch.log import Log


class Pipe:
    """Of a ledger that keeps what is written, or fails as it is told to."""

    def __init__(self, ledger: "Ledger") -> None:
        self._ledger = ledger
        self._lines: list[list[Any]] = []

    async def __aenter__(self) -> "Pipe":
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def xadd(self, _key: str, fields: dict[str, bytes], **_options: object) -> None:
        """Kept until `execute`."""
        self._lines += [json.loads(line) for line in fields["o"].splitlines()]

    def incrby(self, _key: str, count: int) -> None:
        """As many as were added."""
        assert count == len(self._lines)

    async def execute(self) -> None:
        """Fails, waits, or keeps all."""
        if self._ledger.fails:
            raise self._ledger.fails.pop(0)
        if self._ledger.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        self._ledger.lines += self._lines


class Ledger:
    """`fails`: what the next calls raise; `hangs`: none is answered."""

    def __init__(self, *fails: Exception, hangs: bool = False) -> None:
        self.fails = list(fails)
        self.hangs = hangs
        self.lines: list[list[Any]] = []

    def pipeline(self, *, transaction: bool) -> Pipe:
        """All or nothing."""
        assert transaction
        return Pipe(self)


def telling(ledger: Ledger) -> Outcomes:
    return Outcomes(ledger, "main", Log(level="error"), now=lambda: 1)  # type: ignore[arg-type]


def message(number: int, recipients: int = 1, **fields: Any) -> dict[str, Any]:
    to = [f"r{n}@dest.test" for n in range(recipients)]
    plain = {"message": f"m{number}", "tenant": "t", "recipients": to, "outcome": "relayed"}
    return {**plain, **fields}


async def test_a_turn_of_the_loop_encodes_a_bounded_number_of_recipients() -> None:
    ledger = Ledger()
    told = telling(ledger)
    for number in range(20):
        told.hear(message(number, recipients=QUEUE // 20, reply="250 2.0.0 OK" * 10))
    turns = 0

    async def beside() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(beside())
    await told.flush()
    other.cancel()
    assert turns >= QUEUE // TURN - 1, "others have their turn between two batches"
    assert len(ledger.lines) == QUEUE
    assert len({(line[1], line[3]) for line in ledger.lines}) == QUEUE, "each is told once"


@pytest.mark.parametrize(
    "trouble", [AwayError("gone"), OSError(5, "input"), RuntimeError("the handler is closed")]
)
async def test_a_batch_that_cannot_be_written_is_lost_and_counted_and_nothing_else(
    trouble: Exception,
) -> None:
    ledger = Ledger(trouble)
    told = telling(ledger)
    before = outcomes._DROPPED.total
    for number in range(TURN + 7):
        told.hear(message(number))
    await told.flush()
    assert outcomes._DROPPED.total == before + TURN
    await told.flush()
    assert [line[1] for line in ledger.lines] == [f"m{n}" for n in range(TURN, TURN + 7)]
    assert outcomes._DROPPED.total == before + TURN


async def test_what_cannot_be_encoded_costs_its_batch_and_not_the_worker(
    capfd: pytest.CaptureFixture[str],
) -> None:
    ledger = Ledger()
    told = telling(ledger)
    before = outcomes._DROPPED.total
    told.hear(message(1, why="\ud800"))
    await told.flush()
    assert (ledger.lines, outcomes._DROPPED.total) == ([], before + 1)
    told._log.flush()
    assert '"event":"outcomes_failed"' in capfd.readouterr().err
    told.hear(message(2))
    await told.flush()
    assert [line[1] for line in ledger.lines] == ["m2"]


async def test_a_cancelled_flush_counts_its_batch_and_leaves_the_rest() -> None:
    ledger = Ledger(hangs=True)
    told = telling(ledger)
    before = outcomes._DROPPED.total
    for number in range(TURN + 1):
        told.hear(message(number))
    writing = asyncio.create_task(told.flush())
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    assert outcomes._DROPPED.total == before + TURN
    ledger.hangs = False
    await told.flush()
    assert [line[1] for line in ledger.lines] == [f"m{TURN}"]
