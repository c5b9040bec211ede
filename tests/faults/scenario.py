"""One scenario: a stack under steady load, a fault that begins and ends, and the books after it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from policy.limits import DAY
from tests.faults.books import OPEN, Findings, Quota, Row, close, named_recipients
from tests.faults.load import Load
from tests.faults.stack import AMPLE, Stack
from tests.faults.table import Line

T = TypeVar("T")

PROBES = 6
"""Times the calendar moves on by more than the gap between two probes."""

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
        self.released = 0
        """Recipients that went at the end, when no quota and no doubt kept them any more."""
        self.rows: list[Row] = []
        self.gone_with_primary: set[str] = set()
        """Recipients whose row the database that took over never had."""
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
            await asyncio.sleep(0.15)

    async def books(self) -> Findings:
        """Settle and close the books."""
        await self.settle()
        self.findings = close(
            offers=self.load.offers,
            receipts=self.stack.pmta.receipts.all,
            rows=self.rows,
            named=named_recipients(self.stack.gateway.log_lines()),
            quotas=self.stack.quotas,
            gone_with_primary=self.gone_with_primary,
        )
        return self.findings

    async def close(self, *, to_the_end: bool = True) -> None:
        """Close the books, and again when everything has gone that was held or in doubt; an
        AssertionError with every broken promise.

        What waits proves little: only its release shows that it goes, and goes once."""
        found = await self.books()
        self._must_be_kept(found)
        if to_the_end and (found.held or found.doubt):
            await self.stack.needs_control()
            await self.release_all()
            after = await self.books()
            self._must_be_kept(after)
            assert not after.held, f"{self.name}: {self.waiting()}"
            assert not after.doubt, f"{self.name}: {self.waiting()}"
            # The table shows what the fault left, and that all of it went.
            self.findings = found
            self.released = after.delivered - found.delivered

    async def release_all(self) -> None:
        """No quota binds any more, and time passes until every doubt can be settled."""
        await self.stack.raise_quotas(vmta_small=Quota(AMPLE), vmta_large=Quota(AMPLE))
        await self.none_waits(*OPEN, patience=20.0)
        for _ in range(PROBES):
            if await self.none_waits(*OPEN, "doubt", patience=1.5):
                return
            await self.stack.advance((self.stack.settings_of_gateway.hold.probe_gap + 60) / 86_400)
        assert await self.none_waits(*OPEN, "doubt", patience=60.0), (
            f"{self.name}: {self.waiting()}"
        )

    async def none_waits(self, *states: str, patience: float) -> bool:
        """Whether no row is in any of these states, within so many seconds."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self.rows = await self.stack.postgres.rows()
            if not any(row.state in states for row in self.rows):
                return True
            await asyncio.sleep(0.2)
        return False

    def waiting(self) -> str:
        states = Counter((r.state, r.reason) for r in self.rows if r.state in (*OPEN, "doubt"))
        said = self.stack.gateway.served.tail()
        return f"still waiting: {dict(states)}; the gateway said:\n{said}"

    def _must_be_kept(self, found: Findings) -> None:
        assert not found.problems, "\n".join([f"{self.name}:", *found.problems])
        died = [x for x in self.stack.gateway.log_lines() if x["event"] == "side_task_died"]
        said = self.stack.gateway.served.log.read_text(errors="replace")
        # Whatever is away, only we end processes.
        assert not died, f"{self.name}: a gateway process ended by itself:\n" + "\n".join(
            line for line in said.splitlines() if not line.startswith("{")
        )

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
            released=self.released,
            slowest=found.slowest,
            lost=len(found.lost),
            unknowable=len(found.unknowable),
            twice=len(found.twice) + len(found.due_again),
            excess=max(found.excess.values(), default=0),
            recovery=self.recovery,
        )

    async def next_day(self) -> None:
        """Move every clock to the morning after."""
        now, _ = await self.stack.ledger.now()
        await self.stack.advance((DAY - now % DAY + 60_000) / DAY)
