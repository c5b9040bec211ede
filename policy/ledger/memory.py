"""The ledger's memory twin: the same decisions in plain Python, for tests and simulations.

Production never runs on it. It passes the contract tests of the real ledger, so that what a
test proves on it holds for Valkey too.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from policy.denial import Denied, Limit
from policy.ledger.entries import Entries
from policy.ledger.memoryrates import MemoryRates, of_mailbox, of_source, shared
from policy.ledger_port import (
    Answer,
    Change,
    Decision,
    Granted,
    Item,
    LedgerClosedError,
    Look,
    Mark,
    Refund,
    Reserve,
)
from policy.limits import DAY, day_of, next_day, opens_at
from policy.mailbox import Record, Terms, gap_of, most_of, terms_of
from policy.model import SHARED_MAILBOX, Pool, Tenant, VirtualMta
from policy.plan import Generation
from policy.selection import Usage, charged_tat, choose, pace_step, room

_KEPT_BATCHES = 1000
MARK_LIFE = 5_000


class MemoryLedger:
    """State of one ledger. `now` is its clock in milliseconds; tests move it."""

    def __init__(self, generation: Generation, *, now: int, incarnation: str = "memory") -> None:
        self.generation = generation
        self.now = now
        self.incarnation = incarnation
        self.sequence = 0
        self._days: dict[tuple[int, str], Usage] = {}
        self._paced: dict[str, Usage] = {}
        self._mailboxes: dict[str, dict[str, Record]] = {}
        self._rates = MemoryRates()
        self._batches: OrderedDict[str, Answer] = OrderedDict()
        self.entries = Entries()
        self._marks: dict[tuple[str, str], tuple[int, int]] = {}

    def publish(self, generation: Generation) -> None:
        """Swap the plan; counters stay."""
        assert generation.number > self.generation.number
        self.generation = generation

    def set_opening(self, ip: str, total: int, by_provider: dict[str, int]) -> None:
        usage = self._usage(ip)
        usage.opening = total
        usage.opening_by_provider = {**usage.opening_by_provider, **by_provider}

    async def decide(self, items: Sequence[Item]) -> Answer:
        return self.decide_batch(None, self.incarnation, items)

    def decide_batch(self, batch: str | None, incarnation: str, items: Sequence[Item]) -> Answer:
        if batch is not None and batch in self._batches:
            return self._batches[batch]
        if incarnation != self.incarnation:
            raise LedgerClosedError("another incarnation is in force")
        decisions = [self._one(item) for item in items]
        self.sequence += 1
        answer = Answer(tuple(decisions), self.generation.number, self.now, self.sequence)
        if batch is not None:
            self._batches[batch] = answer
            while len(self._batches) > _KEPT_BATCHES:
                self._batches.popitem(last=False)
        return answer

    def _one(self, item: Item) -> Decision:
        if isinstance(item, Reserve):
            return self._reserve_keyed(item)
        if isinstance(item, Look):
            return self.entries.look(item.key, self.now)
        if isinstance(item, Refund):
            self._refund(item.charge)
        elif isinstance(item, Change):
            self.entries.change(
                item.key, item.owner, item.attempt, item.state, item.server, self.now
            )
        elif isinstance(item, Mark):
            self._marks[item.pool, item.provider] = (item.count, self.entries.real + MARK_LIFE)
        return None

    def _reserve_keyed(self, item: Reserve) -> Decision:
        if not item.key or item.dry:
            return self._reserve(item)
        if met := self.entries.met(item.key, item.owner, self.now):
            return met
        decision = self._reserve(item)
        server = decision.server if isinstance(decision, Granted) else ""
        self.entries.tried(item.key, item.owner, item.attempt, server, self.now)
        return decision

    def _behind_held(self, item: Reserve, tenant: Tenant, total: int) -> Denied | None:
        for provider, _ in item.providers:
            marked, until = self._marks.get((item.pool, provider), (0, 0))
            if marked <= 0 or until < self.entries.real:
                continue
            left = room(
                self.generation.pool[item.pool],
                self.generation.pool,
                self.generation.vmta,
                self._usage,
                provider,
                self.now,
                tenant.window,
                item.away,
                item.broken,
                lambda source: self._rates.room([of_source(source, 0)], self.now),
            )
            shared_left = self._rates.room(
                shared(self.generation, tenant, ((provider, 0),), 0), self.now
            )
            if min(left, shared_left) - marked < total:
                return Denied(Limit.HELD_FIRST, item.pool, 0, 0, marked)
        return None

    def _usage(self, ip: str, day: int | None = None) -> Usage:
        key = (day_of(self.now) if day is None else day, ip)
        usage = self._days.get(key)
        if usage is None:
            usage = self._days[key] = Usage(by_provider={}, opening_by_provider={})
        if day is None:
            # Of whatever day, the one that was asked last has the pace mark.
            usage.tat = self._paced.get(ip, usage).tat
            self._paced[ip] = usage
        return usage

    def _reserve(self, item: Reserve) -> Granted | Denied:
        tenant = self.generation.tenant.get(item.tenant)
        pool = self.generation.pool.get(item.pool)
        if tenant is None or pool is None or pool.tenant != item.tenant:
            return Denied(Limit.UNKNOWN_POOL, item.pool, 0, 0, 0)
        if self._unknown(tenant, item.mailbox):
            return Denied(Limit.MAILBOX_UNKNOWN, item.mailbox, 0, 0, 0)
        if self.generation.stopped:
            return Denied(Limit.STOPPED, "", 0, 0, 0)
        if tenant.paused:
            return Denied(Limit.TENANT_PAUSED, item.tenant, 0, 0, 0)
        total = sum(n for _, n in item.providers)
        if opens := opens_at(tenant.window, self.now):
            return Denied(Limit.WINDOW, item.tenant, opens, 0, 0)
        rated = shared(self.generation, tenant, item.providers, total)
        if denial := self._rates.denial(rated, self.now):
            return denial
        if not item.held and (denial := self._behind_held(item, tenant, total)):
            return denial
        mailbox = ""
        if item.mailbox:
            mailbox, terms = self._mailbox(tenant, item.mailbox)
            if denial := self._mailbox_denial(tenant, mailbox, terms, total):
                return denial
            box = of_mailbox(tenant, item.mailbox, mailbox, total)
            if denial := self._rates.denial([box], self.now):
                return denial
        chosen, pool_name = self._chosen(item, pool, tenant, total)
        if isinstance(chosen, Denied):
            return chosen
        return self._charge(item, tenant, chosen, pool_name, mailbox, total)

    def _chosen(
        self, item: Reserve, pool: Pool, tenant: Tenant, total: int
    ) -> tuple[VirtualMta | Denied, str]:
        """The VirtualMTA, and the pool of the overflow's chain that it was taken from."""
        taken = pool.name

        def rated(of: Pool | VirtualMta) -> Denied | None:
            nonlocal taken
            if isinstance(of, Pool):
                taken = of.name
            return self._rates.denial([of_source(of, total)], self.now)

        chosen = choose(
            pool,
            self.generation.pool,
            self.generation.vmta,
            self._usage,
            item.providers,
            self.now,
            tenant.window,
            item.away,
            item.broken,
            rated,
        )
        return chosen, taken

    def _charge(
        self,
        item: Reserve,
        tenant: Tenant,
        vmta: VirtualMta,
        pool: str,
        mailbox: str,
        total: int,
    ) -> Granted:
        usage = self._usage(vmta.ip)
        step = pace_step(vmta, usage, tenant.window)
        record = self._record(tenant.name, mailbox)
        last = 0 if record is None else record.last
        granted = Granted(
            vmta.name, vmta.ip, vmta.server, tenant.name, mailbox, item.providers,
            self.now, step, self.incarnation, last,
        )  # fmt: skip
        if item.dry:
            return granted
        if step:
            usage.tat = charged_tat(usage, step, total, self.now, tenant.window)
        usage.relayed += total
        for provider, n in item.providers:
            usage.by_provider[provider] = usage.by_provider.get(provider, 0) + n
        if mailbox:
            today, boxes = day_of(self.now), self._mailboxes.setdefault(tenant.name, {})
            new = Record(first=today, day=today, count=0, before=0, last=0)
            boxes[mailbox] = boxes.get(mailbox, new).charged(today, total, self.now)
        rates = [
            *shared(self.generation, tenant, item.providers, total),
            of_mailbox(tenant, item.mailbox, mailbox, total),
            of_source(self.generation.pool[pool], total),
            of_source(vmta, total),
        ]
        return msgspec.structs.replace(granted, rates=self._rates.charge(rates, self.now))

    def _record(self, tenant: str, mailbox: str) -> Record | None:
        found = self._mailboxes.get(tenant, {}).get(mailbox)
        return None if found is None else found.on(day_of(self.now))

    @staticmethod
    def _unknown(tenant: Tenant, mailbox: str) -> bool:
        known = mailbox in ("", SHARED_MAILBOX) or mailbox in tenant.mailboxes
        return tenant.mailbox_unknown == "refuse" and not known

    def _mailbox(self, tenant: Tenant, mailbox: str) -> tuple[str, Terms]:
        """The mailbox that counts, and its limits."""
        own = tenant.mailboxes.get(mailbox)
        if own is None:
            known = self._mailboxes.get(tenant.name, {})
            full = mailbox not in known and len(known) >= tenant.mailbox_bound
            if full or tenant.mailbox_unknown == "shared":
                mailbox = SHARED_MAILBOX
        return mailbox, terms_of(tenant, own)

    def _mailbox_denial(
        self, tenant: Tenant, mailbox: str, terms: Terms, total: int
    ) -> Denied | None:
        record, today = self._record(tenant.name, mailbox), day_of(self.now)
        first, sent, last = (today, 0, 0) if record is None else (
            record.first, record.count, record.last
        )  # fmt: skip
        most, by_ramp = most_of(terms, first, today)
        if most is not None and sent + total > most:
            limit = Limit.MAILBOX_RAMP if by_ramp else Limit.MAILBOX_MAX
            return Denied(limit, mailbox, next_day(self.now), most, sent)
        if last > self.now:
            # The clock was put back.
            boxes, last = self._mailboxes[tenant.name], self.now
            boxes[mailbox] = msgspec.structs.replace(boxes[mailbox].kept(today), last=last)
        free = last + gap_of(terms, mailbox, last)
        if last and free > self.now:
            return Denied(Limit.MAILBOX_SPACING, mailbox, free, 0, 0)
        return None

    def _refund(self, charge: Granted) -> None:
        if charge.incarnation != self.incarnation:
            return
        usage = self._usage(charge.ip, charge.at // DAY)
        usage.relayed = max(usage.relayed - charge.count, 0)
        for provider, n in charge.providers:
            usage.by_provider[provider] = max(usage.by_provider.get(provider, 0) - n, 0)
        if charge.interval:
            paced = self._usage(charge.ip)
            paced.tat = max(paced.tat - charge.count * charge.interval, 0.0)
        boxes = self._mailboxes.get(charge.tenant, {})
        if record := boxes.get(charge.mailbox):
            boxes[charge.mailbox] = record.lowered(
                day_of(self.now), charge.at // DAY, charge.count, charge.at, charge.last
            )
        self._rates.refund(charge, self.now)
