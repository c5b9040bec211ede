"""Which groups of held mail may be looked at: what is blocked, and until when.

A group is a pool × provider. Owns: remembering denials under the limit that bound, waking up
when the first of them ends, the marks that keep live mail behind. Pure but for its arguments.
Rule: a block never outlives a sweep, so that a lost wake-up costs half a minute.
"""

from collections.abc import Iterable

from gateway.hold.keep.backlog import Count, Group
from policy.denial import IP_LIMITS, MAILBOX_LIMITS, Denied, Limit
from policy.ledger_port import Mark

_TENANT = frozenset({Limit.TENANT_MINUTE, Limit.TENANT_HOUR, Limit.WINDOW, Limit.TENANT_PAUSED})
_EVERYBODY = frozenset(
    {
        *(Limit.GLOBAL_MINUTE, Limit.GLOBAL_HOUR, Limit.STOPPED),
        *(Limit.LEDGER_AWAY, Limit.LEDGER_CLOSED),
    }
)
_OWN = MAILBOX_LIMITS | {Limit.CAMPAIGN_PAUSED, Limit.MAILBOX_UNKNOWN}
"""Limits of a single message: its group goes on."""

SOON = 2_000
"""Milliseconds until a limit without a known end is tried again."""


class Groups:
    """What one releaser remembers."""

    def __init__(self) -> None:
        self._groups: dict[Group, tuple[int, Limit]] = {}
        self._tenants: dict[str, int] = {}
        self._all = 0

    def forget(self) -> None:
        """Trust nothing remembered: a sweep, a new generation, a moved clock, a refund."""
        self._groups.clear()
        self._tenants.clear()
        self._all = 0

    def block(self, tenant: str, group: Group, denied: Denied, now: int) -> None:
        """A row of this group was denied."""
        until = denied.until if denied.until > now else now + SOON
        if denied.limit in _EVERYBODY:
            self._all = until
        elif denied.limit in _TENANT:
            self._tenants[tenant] = until
        elif denied.limit not in _OWN:
            self._groups[group] = (until, denied.limit)

    def open(self, counts: Iterable[Count], now: int) -> list[tuple[str, Group]]:
        """(tenant, group) of what is ready and not blocked, each once."""
        if self._all > now:
            return []
        found: dict[tuple[str, Group], None] = {}
        for count in counts:
            group = (count.pool, count.provider)
            if (
                count.ready
                and self._tenants.get(count.tenant, 0) <= now
                and self._groups.get(group, (0, None))[0] <= now
            ):
                found[count.tenant, group] = None
        return list(found)

    def wakes(self, now: int) -> int | None:
        """When the first block ends, None without one."""
        ends = [until for until, _ in self._groups.values()]
        ends += [*self._tenants.values(), self._all]
        return min((end for end in ends if end > now), default=None)

    def marks(self, counts: Iterable[Count], now: int) -> list[Mark]:
        """How many held recipients could go but for the limits of IPs."""
        sums: dict[Group, int] = {}
        for count in counts:
            if not count.ready or self._all > now or self._tenants.get(count.tenant, 0) > now:
                continue
            group = (count.pool, count.provider)
            until, limit = self._groups.get(group, (0, None))
            if until <= now or limit in IP_LIMITS:
                sums[group] = sums.get(group, 0) + count.count
        return [Mark(pool, provider, number) for (pool, provider), number in sums.items()]
