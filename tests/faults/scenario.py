"""One scenario: a stack under steady load, a fault that begins and ends, and the books after it."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from policy.limits import DAY
from tests.faults.books import Findings, Row, close, named_recipients
from tests.faults.load import Load
from tests.faults.stack import Stack
from tests.faults.table import Line

T = TypeVar("T")

QUIET = 0.6
"""Seconds without a change after which nothing is under way any more."""


class Scenario:
    """What a test drives. Times by `time.monotonic()`."""

    def __init__(self, name: str, stack: Stack, load: Load) -> None:
        self.name = name
        self.stack = stack
        self.load = load
        self.ended = 0.0
        """When the fault ended; 0.0 while it has not."""
        self.recovery: float | None = None
        self.rows: list[Row] = []
        self.findings: Findings

    def fault_ends(self) -> None:
        """From now on mail has to flow again."""
        # What is there already counts as seen before.
        self.stack.pmta.receipts.read()
        self.ended = time.monotonic()

    async def flows_again(self, patience: float = 20.0) -> None:
        """Wait until PowerMTA has taken a message that was offered after the fault, or one that
        waited and was released after it."""
        assert self.ended, "the fault has not ended"
        found = await self.until(self._first_after, "mail flows again", patience)
        self.recovery = max(0.0, found - self.ended)

    def _first_after(self) -> float:
        """When the first such message was seen; 0.0 for none."""
        offers = {offer.mail.recipient: offer for offer in self.load.offers}
        receipts = self.stack.pmta.receipts
        receipts.read()
        for receipt in receipts.all:
            offer = offers.get(receipt.recipient)
            if receipt.seen < self.ended or offer is None or not offer.answers:
                continue
            first = offer.answers[0]
            if first.began >= self.ended or (first.code == 250 and first.ended < self.ended):
                return receipt.seen
        return 0.0

    async def until(self, look: Callable[[], T], what: str, patience: float = 20.0) -> T:
        """Wait for `look` to return something; an AssertionError that shows the gateway's log."""
        deadline = time.monotonic() + patience
        while not (found := look()):
            assert time.monotonic() < deadline, (
                f"{self.name}: {what}: not within {patience:g} s; the gateway said:\n"
                + self.stack.gateway.served.tail()
            )
            await asyncio.sleep(0.02)
        return found

    async def settle(self, patience: float = 30.0) -> None:
        """End the load, and wait until nothing is under way: no claim, no new receipt."""
        await self.load.finish()
        deadline = time.monotonic() + patience
        last, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET:
            count = len(self.stack.pmta.receipts.read())
            self.rows = await self.stack.postgres.rows()
            claimed = sum(row.state == "claimed" for row in self.rows)
            if count != last or claimed:
                last, since = count, time.monotonic()
            assert time.monotonic() < deadline, f"{self.name}: {claimed} rows stay claimed"
            await asyncio.sleep(0.1)

    async def books(self) -> Findings:
        """Settle and close the books."""
        await self.settle()
        self.findings = close(
            offers=self.load.offers,
            receipts=self.stack.pmta.receipts.all,
            rows=self.rows,
            named=named_recipients(self.stack.gateway.log_lines()),
            quotas=self.stack.quotas,
        )
        return self.findings

    async def close(self) -> None:
        """Close the books; an AssertionError with every broken promise."""
        problems = (await self.books()).problems
        assert not problems, "\n".join([f"{self.name}:", *problems])

    def line(self) -> Line:
        """Its row of the table."""
        found = self.findings
        return Line(
            scenario=self.name,
            offered=found.offered,
            acknowledged=found.acknowledged,
            refused=found.refused,
            deferred=found.deferred,
            unheard=found.unheard,
            delivered_once=found.delivered,
            held=found.held,
            doubt=found.doubt,
            lost=len(found.lost),
            twice=len(found.twice) + len(found.due_again),
            excess=max(found.excess.values(), default=0),
            recovery=self.recovery,
        )

    async def next_day(self) -> None:
        """Move every clock to the morning after."""
        now, _ = await self.stack.ledger.now()
        await self.stack.advance((DAY - now % DAY + 60_000) / DAY)
