"""The memory twin's limits of a minute and an hour: one `Rolling` a scope, named as in the Lua."""

import math
from collections.abc import Iterable

import msgspec

from policy.denial import Denied
from policy.ledger_port import Granted
from policy.mailbox import rate_of
from policy.model import OFF, Pool, Rate, Tenant, VirtualMta
from policy.plan import Generation
from policy.rolling import Rolling, later
from policy.selection import Providers


class Rated(msgspec.Struct, frozen=True):
    """What one limit counts of a message."""

    kind: str
    subject: str
    scope: str
    rate: Rate
    count: int


class MemoryRates:
    """Counts of all scopes."""

    def __init__(self) -> None:
        self._scopes: dict[str, Rolling] = {}

    def denial(self, rated: Iterable[Rated], now: int) -> Denied | None:
        """None, or of the denials that bind the one that ends last."""
        found: Denied | None = None
        for one in rated:
            if one.rate != OFF:
                scope = self._of(one.scope)
                found = later(found, scope.denial(one.kind, one.subject, one.rate, one.count, now))
        return found

    def charge(self, rated: Iterable[Rated], now: int) -> tuple[tuple[str, int, int], ...]:
        """As `Granted.rates` has it."""
        return tuple(
            [
                (one.scope, *self._of(one.scope).charge(one.rate, one.count, now))
                for one in rated
                if one.rate != OFF
            ]
        )

    def refund(self, charge: Granted, now: int) -> None:
        """Give back what it counted."""
        counts = {f"d:{provider}": number for provider, number in charge.providers}
        for scope, *slots in charge.rates:
            number = counts.get(scope, 0) if scope.startswith("d:") else charge.count
            self._of(scope).refund(slots, number, now)

    def room(self, rated: Iterable[Rated], now: int) -> float:
        """How many more they leave, all of them."""
        left = [self._of(one.scope).room(one.rate, now) for one in rated if one.rate != OFF]
        return min((room for room in left if room is not None), default=math.inf)

    def _of(self, scope: str) -> Rolling:
        return self._scopes.setdefault(scope, Rolling())


def shared(plan: Generation, tenant: Tenant, providers: Providers, total: int) -> list[Rated]:
    """Limits that are nobody's mailbox, pool or IP."""
    return [
        Rated("tenant", tenant.name, f"t:{tenant.name}", tenant.rate, total),
        Rated("global", "", "g", plan.rate, total),
        *(
            Rated("provider", name, f"d:{name}", plan.provider_rates.get(name, OFF), number)
            for name, number in providers
        ),
    ]


def of_mailbox(tenant: Tenant, asked: str, counts: str, total: int) -> Rated:
    """Of the mailbox that a message is of, its own or what the tenant gives all; it is counted by
    the one that `counts`. None of mail that counts for no mailbox."""
    rate = rate_of(tenant, tenant.mailboxes.get(asked))
    return Rated("mailbox", counts, f"m:{tenant.name}:{counts}", rate if counts else OFF, total)


def of_source(source: Pool | VirtualMta, total: int) -> Rated:
    """A pool's or an IP's."""
    if isinstance(source, Pool):
        return Rated("pool", source.name, f"p:{source.name}", source.rate, total)
    return Rated("ip", source.name, f"i:{source.ip}", source.rate, total)
