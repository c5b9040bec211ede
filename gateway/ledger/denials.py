"""Denials that a worker remembers, so that mail over a limit does not ask the ledger every time.

Rule: a denial is remembered under the limit that bound, never longer than it lasts, and dies with
a refund, a new generation or a moved clock. It is only ever a reason to hold, never to send.
"""

from collections.abc import Callable, Iterable

from policy.denial import IP_LIMITS, MAILBOX_LIMITS, Denied, Limit
from policy.ledger_port import Decision, Item, Refund, Reserve

_MOST = 10_000

_TENANT_LIMITS = frozenset({Limit.TENANT_MINUTE, Limit.TENANT_HOUR, Limit.WINDOW})
_GLOBAL_LIMITS = frozenset({Limit.GLOBAL_MINUTE, Limit.GLOBAL_HOUR})
_PROVIDER_LIMITS = frozenset({Limit.PROVIDER_MINUTE, Limit.PROVIDER_HOUR})

Scope = tuple[str, ...]


class Denials:
    """One a process."""

    def __init__(self, life: float, clock: Callable[[], float]) -> None:
        """`life`: the longest a denial is remembered, seconds; `clock`: real elapsed seconds."""
        self._life = life
        self._clock = clock
        self._known: dict[Scope, tuple[float, Denied]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        """Ask again."""
        self._known.clear()

    def learn(self, answers: Iterable[tuple[Item, Decision]], now: int) -> None:
        """What the ledger answered to one batch; `now` is the ledger's, milliseconds."""
        for item, decision in answers:
            if isinstance(item, Refund):
                # What came back may be sent: the ledger knows of it from this batch on.
                self._known.clear()
            elif isinstance(decision, Denied) and decision.until and isinstance(item, Reserve):
                scope = _scope(item, decision.limit)
                if scope is not None:
                    if len(self._known) >= _MOST:
                        self._known.clear()
                    life = min(self._life, (decision.until - now) / 1000)
                    self._known[scope] = (self._clock() + life, decision)

    def recall(self, item: Reserve) -> Denied | None:
        """The denial this item would meet again, if one is known."""
        if not self._known:
            return None
        for scope in _scopes(item):
            known = self._known.get(scope)
            if known is not None:
                if known[0] > self._clock():
                    return known[1]
                del self._known[scope]
        return None


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
    if limit in _PROVIDER_LIMITS:
        return _of_provider(item.providers[0][0])
    return () if limit in _GLOBAL_LIMITS else None


def _scopes(item: Reserve) -> tuple[Scope, ...]:
    common: tuple[Scope, ...] = (
        (),
        (item.tenant,),
        (item.tenant, item.mailbox),
        *[_of_provider(name) for name, _ in item.providers],
    )
    if len(item.providers) == 1 and not item.away and not item.broken:
        return (*common, (item.tenant, item.pool, item.providers[0][0]))
    return common


def _of_provider(name: str) -> Scope:
    """Of all tenants: as long as no other scope."""
    return ("", "", "", name)
