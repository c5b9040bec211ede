"""Who there is: tenants, mailboxes and IPs of a scenario, by number. Pure."""

import ipaddress
from bisect import bisect_right

import msgspec

from loadtest.laboratory.scenario import Scenario, Tenants

_FIRST_IP = int(ipaddress.IPv4Address("198.18.0.0"))
"""RFC 2544: addresses for benchmarks, 131,072 of them."""
PLAN = "laboratory"
ALL = "*"
"""All tenants together."""


class Ip(msgspec.Struct, frozen=True):
    """A source IP, and what it may send in a day."""

    address: str
    tenant: int
    stage: int
    quota: int
    ceilings: dict[str, int]
    """By provider."""

    @property
    def vmta(self) -> str:
        """Its VirtualMTA, as PowerMTA's records have it."""
        return "vmta-" + self.address.replace(".", "-")


class Tenant(msgspec.Struct, frozen=True):
    """A customer. `first`: the number of its first mailbox."""

    name: str
    kind: Tenants
    first: int

    @property
    def domain(self) -> str:
        """It sends from."""
        return f"{self.name}.laboratory.example"

    @property
    def login(self) -> tuple[str, str]:
        """Its user name and password."""
        return self.name, f"{self.name}-of-the-laboratory"

    @property
    def mailboxes(self) -> range:
        """Their numbers."""
        return range(self.first, self.first + self.kind.mailboxes)


class World:
    """All of them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.tenants: list[Tenant] = []
        self.ips: list[Ip] = []
        self.provider_of = {
            domain: name for name, one in scenario.providers.items() for domain in one.domains
        }
        shares = {
            name: one.ceiling for name, one in scenario.providers.items() if one.ceiling is not None
        }
        self.shares = shares
        first = 0
        for kind in scenario.tenants:
            for number in range(kind.count):
                name = kind.name if kind.count == 1 else f"{kind.name}-{number + 1}"
                for place in range(kind.ips):
                    stage = kind.stages[place % len(kind.stages)]
                    quota = scenario.plan.quotas[stage - 1]
                    self.ips.append(
                        Ip(
                            str(ipaddress.IPv4Address(_FIRST_IP + len(self.ips) + 1)),
                            len(self.tenants),
                            stage,
                            quota,
                            {p: max(1, round(quota * share)) for p, share in shares.items()},
                        )
                    )
                self.tenants.append(Tenant(name, kind, first))
                first += kind.mailboxes
        self.mailboxes = first
        self._firsts = [tenant.first for tenant in self.tenants]
        self.minutes: dict[str, int] = {}
        """Recipients in any minute, of whoever has such a limit."""
        self.hours: dict[str, int] = {}
        self._limited = [self._rated(tenant) for tenant in self.tenants]
        self._of_ip = [self._rated_ip(ip) for ip in self.ips]
        self._of_provider = {
            name: self._limit(f"provider {name}", one.per_minute, one.per_hour)
            for name, one in scenario.providers.items()
        }
        self._by_name = {tenant.domain: tenant for tenant in self.tenants}
        self.by_vmta = {ip.vmta: number for number, ip in enumerate(self.ips)}

    def limited(self, mailbox: int, ip: int, provider: str) -> tuple[str, ...]:
        """Whose limits of a minute and hour such mail counts for: the name of a tenant, or what has
        the limit before it (`pool`, `ip`, `provider`, `mailbox`)."""
        tenant = self.tenant_of(mailbox)
        kind = self.tenants[tenant].kind
        own: tuple[str, ...] = ()
        if kind.mailbox_minute is not None or kind.mailbox_hour is not None:
            who = f"mailbox {self.address(mailbox)}"
            own = self._limit(who, kind.mailbox_minute, kind.mailbox_hour)
        return self._limited[tenant] + self._of_ip[ip] + self._of_provider[provider] + own

    def tenant_of(self, mailbox: int) -> int:
        """The number of the tenant whose mailbox it is."""
        return bisect_right(self._firsts, mailbox) - 1

    def address(self, mailbox: int) -> str:
        """Of a mailbox."""
        tenant = self.tenants[self.tenant_of(mailbox)]
        return f"m{mailbox - tenant.first}@{tenant.domain}"

    def mailbox(self, address: str) -> int | None:
        """The number of a mailbox with this address; None: there is none."""
        local, _, domain = address.partition("@")
        tenant = self._by_name.get(domain)
        if tenant is None or not (local[:1] == "m" and local[1:].isdecimal()):
            return None
        place = int(local[1:])
        return tenant.first + place if place < tenant.kind.mailboxes else None

    def _rated(self, tenant: Tenant) -> tuple[str, ...]:
        limits, kind = self.scenario.limits, tenant.kind
        return (
            self._limit(ALL, limits.per_minute, limits.per_hour)
            + self._limit(tenant.name, kind.per_minute, kind.per_hour)
            + self._limit(f"pool {tenant.name}", kind.pool_minute, kind.pool_hour)
        )

    def _rated_ip(self, ip: Ip) -> tuple[str, ...]:
        kind = self.tenants[ip.tenant].kind
        return self._limit(f"ip {ip.address}", kind.ip_minute, kind.ip_hour)

    def _limit(self, who: str, minute: int | None, hour: int | None) -> tuple[str, ...]:
        """It, where it has a limit."""
        if minute is not None:
            self.minutes[who] = minute
        if hour is not None:
            self.hours[who] = hour
        return () if minute is None and hour is None else (who,)

    @property
    def allowance(self) -> int:
        """Recipients a day of all IPs."""
        return sum(ip.quota for ip in self.ips)
