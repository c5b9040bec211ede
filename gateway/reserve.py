"""Group commit of reservations: what comes while a call is under way travels in the next.

Owns: batching, denial memory, the short life of refunds and entry changes. Not here: the
decision (the ledger).
Rules: one batch in flight a process; a refund leaves with the next batch or after 100 ms and
never travels twice (policy/README.md: charging); a change of an entry travels until it arrived,
for applying it twice changes nothing; a remembered denial lives under the limit that bound,
never longer than the denial itself, and dies with a new generation or a moved clock.
Failure: a ledger that is away or closed denies; nothing is sent on a guess.
"""

import asyncio
from collections.abc import Callable

from policy.denial import IP_LIMITS, MAILBOX_LIMITS, Denied, Limit
from policy.ports import (
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
_MOST_DENIALS = 10_000
_MOST_CHANGES = 100_000

_TENANT_LIMITS = frozenset({Limit.TENANT_MINUTE, Limit.TENANT_HOUR, Limit.WINDOW})
_GLOBAL_LIMITS = frozenset({Limit.GLOBAL_MINUTE, Limit.GLOBAL_HOUR})

Scope = tuple[str, ...]


class Reserver:
    """The gateway's way to the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        batch: int,
        denial_cache: float,
        clock: Callable[[], float],
        observe: Callable[[int, float], None],
        told: Callable[[int], None] = lambda _now: None,
    ) -> None:
        """`batch`: most items a call; `denial_cache`: seconds; `clock`: real elapsed seconds;
        `observe(size, seconds)` is told of every call, `told` of the ledger's time in each
        answer."""
        self._ledger = ledger
        self._batch = batch
        self._denial_cache = denial_cache
        self._clock = clock
        self._observe = observe
        self._told = told
        self._queue: list[tuple[Item, asyncio.Future[Decision] | None]] = []
        self._flight: asyncio.Task[None] | None = None
        self._refund_timer: asyncio.TimerHandle | None = None
        self._denials: dict[Scope, tuple[float, Denied]] = {}
        self._waiting_changes: list[tuple[Item, asyncio.Future[Decision] | None]] = []
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
        if not item.held and (remembered := self._remembered(item)):
            return remembered
        answer = self._ask(item)
        try:
            async with asyncio.timeout_at(deadline):
                decision = await asyncio.shield(answer)
        except TimeoutError:
            answer.add_done_callback(self._too_late)
            return _denial(Limit.LEDGER_AWAY)
        except asyncio.CancelledError:
            answer.add_done_callback(self._too_late)
            raise
        assert decision is not None
        return decision

    def _too_late(self, answer: asyncio.Future[Decision]) -> None:
        decision = None if answer.cancelled() else answer.result()
        if isinstance(decision, Granted):
            self.refund(decision)

    async def look(self, key: str) -> Duplicate | Denied | None:
        """The entry of a key as another message meets it; a denial when the ledger cannot say."""
        decision = await self._ask(Look(key))
        assert not isinstance(decision, Granted)
        return decision

    def _ask(self, item: Item) -> asyncio.Future[Decision]:
        answer: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._queue.append((item, answer))
        self._take_off()
        return answer

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
        self._queue.append((item, None))
        if self._refund_timer is None and self._flight is None:
            loop = asyncio.get_running_loop()
            self._refund_timer = loop.call_later(REFUND_DELAY, self._take_off)

    def forget_denials(self) -> None:
        """A new generation, a moved clock or a reopened ledger: ask again."""
        self._denials.clear()

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
            self._queue, self._waiting_changes = self._waiting_changes + self._queue, []
            self._take_off()

    async def drain(self) -> None:
        """Send what waits, refunds included; entry changes get a last chance at a ledger that was
        away."""
        if self._waiting_changes:
            await self.probe()
        self._take_off()
        while self._flight is not None:
            await asyncio.wait([self._flight])

    def _take_off(self) -> None:
        if self._refund_timer is not None:
            self._refund_timer.cancel()
            self._refund_timer = None
        if self._flight is None and self._queue:
            self._flight = asyncio.get_running_loop().create_task(self._fly())
            self._flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        if not flight.cancelled() and (error := flight.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the reservation batch failed", "exception": error, "task": flight}
            )
        self._take_off()

    async def _fly(self) -> None:
        while self._queue:
            if self.state == "open" and self._waiting_changes:
                self._queue = self._waiting_changes + self._queue
                self._waiting_changes = []
            batch, self._queue = self._queue[: self._batch], self._queue[self._batch :]
            decisions: tuple[Decision, ...]
            started = self._clock()
            try:
                answer = await self._ledger.decide([item for item, _ in batch])
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
                for _, future in batch:
                    if future is not None and not future.done():
                        future.set_result(_denial(Limit.LEDGER_AWAY))
                raise
            else:
                self.state, decisions = "open", answer.decisions
                self._told(answer.now)
                self._remember(batch, decisions, answer.now)
            self._observe(len(batch), self._clock() - started)
            for (_, future), decision in zip(batch, decisions, strict=True):
                if future is not None and not future.done():
                    future.set_result(decision)

    def _turn_away(self, limit: Limit = Limit.LEDGER_AWAY) -> None:
        """Who waited behind a batch without an answer has waited long enough: batches one after
        the other, each with its whole budget, would outlast the clients. Refunds stay."""
        waiting, self._queue = self._queue, []
        for item, future in waiting:
            if future is None:
                self._queue.append((item, None))
            elif not future.done():
                future.set_result(_denial(limit))

    def _keep_changes(self, batch: list[tuple[Item, asyncio.Future[Decision] | None]]) -> None:
        """Entries must not stay behind the truth: their changes travel again when the ledger is
        back (`probe`), the oldest first. Refunds and marks do not."""
        changes: list[tuple[Item, asyncio.Future[Decision] | None]]
        changes = [entry for entry in batch if isinstance(entry[0], Change)]
        self._waiting_changes = (self._waiting_changes + changes)[-_MOST_CHANGES:]

    def _remember(
        self,
        batch: list[tuple[Item, asyncio.Future[Decision] | None]],
        decisions: tuple[Decision, ...],
        now: int,
    ) -> None:
        for (item, _), decision in zip(batch, decisions, strict=True):
            if isinstance(item, Refund):
                # What came back may be sent: the ledger knows of it from this batch on.
                self._denials.clear()
            elif isinstance(item, Reserve) and isinstance(decision, Denied) and decision.until:
                scope = _scope(item, decision.limit)
                if scope is not None:
                    if len(self._denials) >= _MOST_DENIALS:
                        self._denials.clear()
                    life = min(self._denial_cache, (decision.until - now) / 1000)
                    self._denials[scope] = (self._clock() + life, decision)

    def _remembered(self, item: Reserve) -> Denied | None:
        if not self._denials:
            return None
        for scope in _scopes(item):
            known = self._denials.get(scope)
            if known is not None:
                if known[0] > self._clock():
                    return known[1]
                del self._denials[scope]
        return None


def _denial(limit: Limit) -> Denied:
    return Denied(limit, "", 0, 0, 0)


def _simple(item: Reserve) -> bool:
    """Only a denial of one recipient, with every server up, holds for others too."""
    providers = item.providers
    return len(providers) == 1 and providers[0][1] == 1 and not item.away and not item.broken


def _scope(item: Reserve, limit: Limit) -> Scope | None:
    if not _simple(item):
        return None
    if limit in IP_LIMITS:
        return (item.tenant, item.pool, item.providers[0][0])
    if limit in MAILBOX_LIMITS:
        return (item.tenant, item.mailbox)
    if limit in _TENANT_LIMITS:
        return (item.tenant,)
    return () if limit in _GLOBAL_LIMITS else None


def _scopes(item: Reserve) -> tuple[Scope, ...]:
    common: tuple[Scope, ...] = ((), (item.tenant,), (item.tenant, item.mailbox))
    if len(item.providers) == 1 and not item.away and not item.broken:
        return (*common, (item.tenant, item.pool, item.providers[0][0]))
    return common
