"""Which groups of held mail may be looked at: what is blocked, and until when.

A group is a pool × provider. Owns: remembering denials under the limit that bound, waking up
when the first of them ends, the marks that keep live mail behind. Pure but for its arguments.
Rule: a block never outlives a sweep, so that a lost wake-up costs half a minute.
"""

from collections.abc import Iterable

from gateway.hold.keep.backlog import Count, Group
from policy.denial import IP_LIMITS, MAILBOX_LIMITS, RATE_LIMITS, Denied, Limit
from policy.ledger_port import Mark

_TENANT = frozenset({Limit.TENANT_MINUTE, Limit.TENANT_HOUR, Limit.WINDOW, Limit.TENANT_PAUSED})
_EVERYBODY = frozenset(
    {
        *(Limit.GLOBAL_MINUTE, Limit.GLOBAL_HOUR, Limit.STOPPED),
        *(Limit.LEDGER_AWAY, Limit.LEDGER_CLOSED),
    }
)
_PROVIDER = frozenset({Limit.PROVIDER_MINUTE, Limit.PROVIDER_HOUR})
_OWN = MAILBOX_LIMITS | {Limit.CAMPAIGN_PAUSED, Limit.MAILBOX_UNKNOWN}
"""Limits of a single message: its group goes on."""

Block = tuple[int, Limit | None]
"""Until when, and why."""

_MARKED = IP_LIMITS | RATE_LIMITS
_OPEN: Block = (0, None)

SOON = 2_000
"""Milliseconds until a limit without a known end is tried again."""


class Groups:
    """What one releaser remembers."""

    def __init__(self) -> None:
        self._groups: dict[Group, Block] = {}
        self._tenants: dict[str, Block] = {}
        self._providers: dict[str, Block] = {}
        self._all: Block = _OPEN

    def forget(self) -> None:
        """Trust nothing remembered: a sweep, a new generation, a moved clock, a refund."""
        self._groups.clear()
        self._tenants.clear()
        self._providers.clear()
        self._all = _OPEN

    def block(self, tenant: str, group: Group, denied: Denied, now: int) -> None:
        """A row of this group was denied."""
        until = denied.until if denied.until > now else now + SOON
        if denied.limit in _EVERYBODY:
            self._all = (until, denied.limit)
        elif denied.limit in _TENANT:
            self._tenants[tenant] = (until, denied.limit)
        elif denied.limit in _PROVIDER:
            self._providers[group[1]] = (until, denied.limit)
        elif denied.limit not in _OWN:
            self._groups[group] = (until, denied.limit)

    def open(self, waiting: Iterable[tuple[str, Group]], now: int) -> list[tuple[str, Group]]:
        """Those (tenant, group) of what waits that are not blocked."""
        return [
            (tenant, group)
            for tenant, group in waiting
            if all(until <= now for until, _ in self._blocks(tenant, group))
        ]

    def wakes(self, now: int) -> int | None:
        """When the first block ends, None without one."""
        blocks = [*self._groups.values(), *self._tenants.values(), *self._providers.values()]
        return min((end for end, _ in [*blocks, self._all] if end > now), default=None)

    def marks(self, counts: Iterable[Count], now: int) -> list[Mark]:
        """How many held recipients could go but for the limits of IPs, and of a minute or an hour:
        else live mail would take each place that such a limit has."""
        sums: dict[Group, int] = {}
        for count in counts:
            group = (count.pool, count.provider)
            if count.ready and all(
                until <= now or limit in _MARKED
                for until, limit in self._blocks(count.tenant, group)
            ):
                sums[group] = sums.get(group, 0) + count.count
        return [Mark(pool, provider, number) for (pool, provider), number in sums.items()]

    def _blocks(self, tenant: str, group: Group) -> tuple[Block, ...]:
        return (
            self._all,
            self._tenants.get(tenant, _OPEN),
            self._providers.get(group[1], _OPEN),
            self._groups.get(group, _OPEN),
        )
