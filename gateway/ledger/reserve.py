"""Group commit of reservations: what comes while a call is under way travels in the next.

Owns: batching, the short life of refunds and entry changes. Not here: the decision (the ledger),
how much goes in a call (`gateway.ledger.queue`), the memory of denials (`gateway.ledger.denials`).
Rules: one batch in flight a process; a refund leaves with the next batch or after 100 ms and
never travels twice (policy/README.md: charging), and so does a change of an entry, but until it
arrived, for applying it twice changes nothing. What nobody waits for makes no call of its own
before: a call costs the ledger as much as several items in it.
Failure: a ledger that is away or closed denies; nothing is sent on a guess.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final

from gateway.ledger.arrears import Arrears
from gateway.ledger.denials import Denials
from gateway.ledger.queue import Asked, Queue
from gateway.watch import metrics
from policy.denial import Denied, Limit
from policy.ledger_port import (
    Change,
    Decision,
    Duplicate,
    Granted,
    Item,
    Ledger,
    LedgerAwayError,
    LedgerClosedError,
    Look,
    Mark,
    Refund,
    Reserve,
)

REFUND_DELAY = 0.1
_TURNS, _ENOUGH = 8, 8


_SECONDS: Final = metrics.histogram(
    "sendgate_ledger_seconds", "Time of one ledger call, repeats included."
)
_BATCH: Final = metrics.histogram(
    "sendgate_ledger_batch_size", "Reservations and refunds in one ledger call.", metrics.SIZES
)


class Reserver:
    """The gateway's way to the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        batch: int,
        denial_cache: float,
        clock: Callable[[], float],
        told: Callable[[int], None] = lambda _now: None,
        changes: int = 100_000,
    ) -> None:
        """`batch`: most items a call; `denial_cache`: seconds; `clock`: real elapsed seconds;
        `told` is told the ledger's time in each answer; `changes` of entries may wait for a ledger
        that is away."""
        self._ledger = ledger
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._told = told
        self._queue = Queue(batch)
        self._flying: list[Asked] = []
        self._flight: asyncio.Task[None] | None = None
        self._refund_timer: asyncio.TimerHandle | None = None
        self._denials = Denials(denial_cache, clock)
        self.arrears = Arrears(changes)
        self._impatience: asyncio.TimerHandle | None = None
        self._until = math.inf
        self.state = "open"

    def __repr__(self) -> str:
        return f"<Reserver {self.state}: {len(self._queue)} waiting, {len(self._denials)} denials>"

    async def reserve(
        self, item: Reserve, deadline: float | None = None
    ) -> Granted | Denied | Duplicate:
        """The ledger's decision; LEDGER_AWAY or LEDGER_CLOSED when there is none. `deadline` is
        loop time: a charge that comes later is given back.

        Mail from the hold asks every time: a remembered denial would keep a releaser from what
        was freed since."""
        if not item.held and (remembered := self._denials.recall(item)):
            return remembered
        answer = self._ask(item, math.inf if deadline is None else deadline)
        try:
            decision = await answer
        except asyncio.CancelledError:
            if not answer.cancelled() and isinstance(charge := answer.result(), Granted):
                self.refund(charge)  # answered in the very moment
            raise
        assert decision is not None
        return decision

    async def look(self, key: str) -> Duplicate | Denied | None:
        """The entry of a key as another message meets it; a denial when the ledger cannot say."""
        decision = await self._ask(Look(key), math.inf)
        assert not isinstance(decision, Granted)
        return decision

    def _ask(self, item: Item, deadline: float) -> asyncio.Future[Decision]:
        answer: asyncio.Future[Decision] = self._loop.create_future()
        self._queue.add(Asked(item, answer, deadline))
        if deadline < self._until:
            self._be_patient(deadline)
        self._take_off()
        return answer

    def _be_patient(self, deadline: float) -> None:
        """One timer for all who wait: one each costs more than the rest of a reserve."""
        if self._impatience is not None:
            self._impatience.cancel()
        self._until = deadline
        self._impatience = self._loop.call_at(deadline, self._lose_patience)

    def _lose_patience(self) -> None:
        now = self._loop.time() + 0.001
        self._until, self._impatience = math.inf, None
        soonest = math.inf
        for asked in (*self._flying, *self._queue.all()):
            if asked.answer is None or asked.answer.done():
                continue
            if asked.deadline <= now:
                # It may be charged all the same: `_tell` gives that back.
                asked.answer.set_result(_denial(Limit.LEDGER_AWAY))
            else:
                soonest = min(soonest, asked.deadline)
        if soonest < math.inf:
            self._be_patient(soonest)

    def refund(self, charge: Granted) -> None:
        """Give a charge back with the next batch."""
        self._send_soon(Refund(charge))

    def change(self, change: Change) -> None:
        """Change an entry with the next batch."""
        self._send_soon(change)

    def mark(self, mark: Mark) -> None:
        """Say how much held mail could go now, with the next batch."""
        self._send_soon(mark)

    def _send_soon(self, item: Refund | Change | Mark) -> None:
        self._queue.add(Asked(item))
        if self._refund_timer is None and self._flight is None:
            self._refund_timer = self._loop.call_later(REFUND_DELAY, self._take_off)

    def forget_denials(self) -> None:
        """A new generation, a moved clock or a reopened ledger: ask again."""
        self._denials.forget()

    async def probe(self) -> None:
        """Ask a ledger that was away or closed whether it is back; costs nothing while it is open.

        Without it the state would change only with the next message, and a balancer that trusts
        /readyz sends none."""
        if self.state == "open" or self._flight is not None:
            return
        try:
            await self._ledger.decide([])
        except LedgerAwayError:
            self.state = "away"
        except LedgerClosedError:
            self.state = "closed"
        else:
            self.state = "open"
            self.forget_denials()
            self._catch_up()
            self._take_off()

    async def drain(self) -> None:
        """Send what waits, refunds included; entry changes get a last chance at a ledger that was
        away."""
        if self.arrears:
            await self.probe()
        self._take_off()
        while self._flight is not None:
            await asyncio.wait([self._flight])
            self._take_off()

    def _take_off(self) -> None:
        if self._refund_timer is not None:
            self._refund_timer.cancel()
            self._refund_timer = None
        if self._flight is None and self._queue:
            self._flight = self._loop.create_task(self._fly())
            self._flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        if not flight.cancelled() and (error := flight.exception()) is not None:
            self._loop.call_exception_handler(
                {"message": "the reservation batch failed", "exception": error, "task": flight}
            )
        if self._queue.urgent:
            self._take_off()
        elif self._queue:
            self._refund_timer = self._loop.call_later(REFUND_DELAY, self._take_off)

    async def _fly(self) -> None:
        flying = True
        while flying:
            if self.state == "open" and self.arrears:
                self._catch_up()
            await self._gather()
            batch = self._flying = self._queue.cut()
            items = [asked.item for asked in batch]
            decisions: tuple[Decision, ...]
            started = self._clock()
            try:
                answer = await self._ledger.decide(items)
            except LedgerAwayError:
                # The charges stand, and so do the refunds' charges: too high, never too low.
                self.state, decisions = "away", (_denial(Limit.LEDGER_AWAY),) * len(batch)
                self._turn_away()
                self._keep_changes(batch)
            except LedgerClosedError:
                self.state, decisions = "closed", (_denial(Limit.LEDGER_CLOSED),) * len(batch)
                self._turn_away(Limit.LEDGER_CLOSED)
                self._keep_changes(batch)
            except BaseException:
                self._keep_changes(batch)
                self._tell(batch, (_denial(Limit.LEDGER_AWAY),) * len(batch))
                raise
            else:
                self.state, decisions = "open", answer.decisions
                self._told(answer.now)
                self._denials.learn(
                    ((asked.item, d) for asked, d in zip(batch, decisions, strict=True)), answer.now
                )
            _BATCH.observe(len(batch))
            _SECONDS.observe(self._clock() - started)
            self._tell(batch, decisions)
            flying = self._queue.urgent

    async def _gather(self) -> None:
        """Some turns of the loop for what is about to come, as long as they bring something that
        is waited for. An idle loop turns at once."""
        for _ in range(_TURNS):
            waiting = self._queue.asking
            if waiting >= _ENOUGH:
                return
            await asyncio.sleep(0)
            if self._queue.asking == waiting:
                return

    def _tell(self, batch: list[Asked], decisions: tuple[Decision, ...]) -> None:
        """A charge that nobody waits for any more, by time or by cancellation, is given back."""
        self._flying = []
        for asked, decision in zip(batch, decisions, strict=True):
            if asked.answer is None:
                continue
            if not asked.answer.done():
                asked.answer.set_result(decision)
            elif isinstance(decision, Granted):
                self.refund(decision)

    def _turn_away(self, limit: Limit = Limit.LEDGER_AWAY) -> None:
        """Who waited behind a batch without an answer has waited long enough: batches one after
        the other, each with its whole budget, would outlast the clients. Refunds stay."""
        for asked in self._queue.take():
            if isinstance(asked.item, Change):
                self.arrears.keep([asked.item])
            elif asked.answer is None:
                self._queue.add(asked)
            elif not asked.answer.done():
                asked.answer.set_result(_denial(limit))

    def _keep_changes(self, batch: list[Asked]) -> None:
        """Entries must not stay behind the truth: their changes travel again when the ledger is
        back (`probe`), the oldest first. Refunds and marks do not."""
        self.arrears.keep(asked.item for asked in batch if isinstance(asked.item, Change))

    def _catch_up(self) -> None:
        self._queue.first(self.arrears.take())


def _denial(limit: Limit) -> Denied:
    return Denied(limit, "", 0, 0, 0)
