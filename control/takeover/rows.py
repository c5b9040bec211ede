"""What was understood as rows to be: whose it is, and by which pool each domain sends. Pure.

Rule: a VirtualMTA, a pool and a domain are one tenant's. Which, the operator says; PowerMTA has no
tenants. A domain sends by the pool whose VirtualMTAs sign it; where several do, by the first.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from control.pmta.grammar.node import Place
from control.problem import quoted, taken
from control.takeover.found import (
    FoundKey,
    FoundPool,
    FoundVmta,
    Understanding,
    entry,
)


class PoolRow(NamedTuple):
    """A pool to be; members by name."""

    tenant: str
    name: str
    members: tuple[str, ...]


class DomainRow(NamedTuple):
    """A sending domain to be, with the key that signs it in PowerMTA."""

    tenant: str
    domain: str
    pool: PoolRow
    key: FoundKey


class Rows(NamedTuple):
    """All of it; each VirtualMTA with its tenant, pools and domains in the order of the files."""

    vmtas: list[tuple[str, FoundVmta]]
    pools: list[PoolRow]
    domains: list[DomainRow]

    @property
    def tenants(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(tenant for tenant, _ in self.vmtas))

    def of(self, vmtas: Collection[str]) -> "Rows":
        """What is left with these VirtualMTAs alone, by name."""

        def less(pool: PoolRow) -> PoolRow:
            return pool._replace(members=tuple(one for one in pool.members if one in vmtas))

        pools = [less(pool) for pool in self.pools]
        domains = [row._replace(pool=less(row.pool)) for row in self.domains]
        return Rows(
            [(tenant, vmta) for tenant, vmta in self.vmtas if vmta.name in vmtas],
            [pool for pool in pools if pool.members],
            [row for row in domains if row.pool.members],
        )


def rows_of(found: Understanding, tenant: str | None, tenants: Mapping[str, str]) -> Rows:
    """`tenant`: whose everything is that `tenants`, by pool or VirtualMTA that is in none, does not
    give to another. What cannot be a row is told in the report of `found`. Raises RefusedError for
    a name in `tenants` that there is not."""
    return _Work(found, tenant, {name.lower(): whose for name, whose in tenants.items()}).rows()


class _Work:
    def __init__(
        self, found: Understanding, tenant: str | None, tenants: Mapping[str, str]
    ) -> None:
        self._found = found
        self._tenant = tenant
        self._tenants = tenants
        self._owner: dict[str, str] = {}
        """VirtualMTA to tenant."""

    def rows(self) -> Rows:
        named = {pool.name.lower() for pool in self._found.pools}
        named |= {vmta.name.lower() for vmta in self._found.vmtas}
        if unknown := sorted(self._tenants.keys() - named):
            raise taken("of", f"{quoted(unknown[0])} is no pool or VirtualMTA that was understood")
        pools = [pool for found in self._found.pools if (pool := self._pool(found))]
        for vmta in self._found.vmtas:
            if vmta.name not in self._owner:
                pools += self._alone(vmta)
        vmtas = [
            (self._owner[vmta.name], vmta)
            for vmta in self._found.vmtas
            if vmta.name in self._owner and self._can_be_its(vmta)
        ]
        there = {vmta.name for _, vmta in vmtas}
        whole = [
            pool._replace(members=members)
            for pool in pools
            if (members := tuple(name for name in pool.members if name in there))
        ]
        return Rows(vmtas, whole, self._domains(whole))

    def _pool(self, pool: FoundPool) -> PoolRow | None:
        tenant = self._whose(pool.name, pool.place, f"<virtual-mta-pool {pool.name}>")
        if tenant is None:
            return None
        for member in pool.members:
            other = self._owner.setdefault(member, tenant)
            if other != tenant:
                why = f"{member} is {other}'s by another pool: a VirtualMTA is one tenant's"
                self._refuse(pool.place, f"<virtual-mta-pool {pool.name}>", why)
                return None
        return PoolRow(tenant, pool.name, pool.members)

    def _alone(self, vmta: FoundVmta) -> list[PoolRow]:
        """A VirtualMTA that no pool has gets the tenant's own pool, which comes with it."""
        tenant = self._whose(vmta.name, vmta.place, f"<virtual-mta {vmta.name}>")
        if tenant is None:
            return []
        self._owner[vmta.name] = tenant
        return [PoolRow(tenant, "", (vmta.name,))]

    def _can_be_its(self, vmta: FoundVmta) -> bool:
        tenant = self._owner[vmta.name]
        if vmta.name.lower() == tenant.lower():
            why = f"tenant {tenant} comes with a pool of that name: name the tenant otherwise"
            self._refuse(vmta.place, f"<virtual-mta {vmta.name}>", why)
            return False
        return True

    def _whose(self, name: str, place: Place, text: str) -> str | None:
        tenant = self._tenants.get(name.lower(), self._tenant)
        if tenant is None:
            why = f"whose is it? --tenant NAME for all, --of {name}=TENANT for this one"
            self._refuse(place, text, why)
        return tenant

    def _domains(self, pools: list[PoolRow]) -> list[DomainRow]:
        found: dict[str, DomainRow] = {}
        vmtas = {vmta.name: vmta for vmta in self._found.vmtas}
        inside = {pool.name: pool.keys for pool in self._found.pools}
        for pool in pools:
            keys = list(inside.get(pool.name, ()))
            for member in pool.members:
                keys += vmtas[member].keys
            for key in [*keys, *self._found.keys]:
                self._domain(found, pool, key)
        return list(found.values())

    def _domain(self, found: dict[str, DomainRow], pool: PoolRow, key: FoundKey) -> None:
        if key.domain == "*":
            return
        row = found.setdefault(key.domain, DomainRow(pool.tenant, key.domain, pool, key))
        if row.tenant != pool.tenant:
            why = f"{key.domain} is {row.tenant}'s: a domain is one tenant's"
            if key not in self._found.keys:
                self._refuse(key.place, str(key), why)
        elif row.key[1:] != key[1:]:
            why = f"{key.domain} is signed with {row.key.selector} ({row.key.place}): one key each"
            self._refuse(key.place, str(key), why)

    def _refuse(self, place: Place, text: str, why: str) -> None:
        one = entry(place, text, why)
        if one not in self._found.report.refused:
            self._found.report.refused.append(one)
