"""A generation: the numbered, immutable plan that control publishes and gateways swap whole.

Owns: the shape, its checks, encoding and look-ups. Not here: where it is stored
(`policy.ledger`), how rows become one (`control`).
Rule: a generation with a problem is never published; every problem is reported at once.
Failure: `decode` raises `BadGenerationError`; the caller keeps the generation it has.
"""

import ipaddress
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import msgspec

from policy.model import OFF, Login, Name, Pool, Rate, Server, Tenant, VirtualMta
from policy.node import Network, network
from policy.overflow import circles

SYSTEM_VIRTUAL_MTA = "sendgate-system"
"""Carries Sendgate's own mail (probes, DSNs), outside warm-up."""

PROBE_DOMAIN = "probe.sendgate.invalid"
"""`type discard` in the generated PowerMTA configuration (RFC 2606: .invalid is never a host)."""


class BadGenerationError(ValueError):
    """The bytes are no generation this version can read."""


class Rated(NamedTuple):
    """What has a limit of a minute or an hour."""

    tenants: list[Tenant]
    pools: list[Pool]
    vmtas: list[VirtualMta]


class Generation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Everything a gateway and the ledger need to decide, under one number."""

    number: int
    created: float
    """UTC seconds, for people; nothing is decided by it."""
    ledger: Name = "main"
    servers: tuple[Server, ...] = ()
    vmtas: tuple[VirtualMta, ...] = ()
    pools: tuple[Pool, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    rate: Rate = OFF
    """The whole gateway's."""
    provider_rates: dict[str, Rate] = {}
    """Providers' over all tenants; one not named has none."""
    stopped: bool = False
    """Nothing is granted to anybody: an operator stopped all sending, and mail is held."""

    @cached_property
    def server(self) -> dict[str, Server]:
        return {s.name: s for s in self.servers}

    @cached_property
    def vmta(self) -> dict[str, VirtualMta]:
        return {v.name: v for v in self.vmtas}

    @cached_property
    def pool(self) -> dict[str, Pool]:
        return {p.name: p for p in self.pools}

    @cached_property
    def tenant(self) -> dict[str, Tenant]:
        return {t.name: t for t in self.tenants}

    @cached_property
    def login(self) -> dict[str, tuple[str, Login]]:
        """Login name to (tenant, login)."""
        return {lo.name: (t.name, lo) for t in self.tenants for lo in t.logins}

    @cached_property
    def formers_until(self) -> int:
        """When the last former password of any login ends, calendar milliseconds; 0: there is
        none."""
        logins = (lo.former for t in self.tenants for lo in t.logins)
        return max((former.until for former in logins if former is not None), default=0)

    @cached_property
    def networks(self) -> tuple[tuple[Network, str], ...]:
        """Source networks with their tenants, most specific first."""
        pairs = [(network(n), t.name) for t in self.tenants for n in t.networks]
        return tuple(sorted(pairs, key=lambda pair: -pair[0].prefixlen))

    @cached_property
    def pools_of(self) -> dict[str, list[Pool]]:
        """VirtualMTA to the pools that it is in."""
        found: dict[str, list[Pool]] = {}
        for pool in self.pools:
            for name in pool.members:
                found.setdefault(name, []).append(pool)
        return found

    @cached_property
    def rated(self) -> Rated:
        """What has a limit of a minute or an hour; of thousands mostly few."""
        return Rated(
            [t for t in self.tenants if t.rate != OFF],
            [p for p in self.pools if p.rate != OFF],
            [v for v in self.vmtas if v.rate != OFF],
        )

    def __repr__(self) -> str:
        return (
            f"<Generation {self.number}: {len(self.tenants)} tenants, "
            f"{len(self.pools)} pools, {len(self.vmtas)} VirtualMTAs>"
        )


_decoder = msgspec.msgpack.Decoder(Generation)


def encode(generation: Generation) -> bytes:
    """The wire form: msgpack of the struct."""
    return msgspec.msgpack.encode(generation)


def decode(data: bytes) -> Generation:
    """Raises `BadGenerationError` with the path of what does not fit."""
    try:
        generation = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadGenerationError(f"not a generation this version reads: {error}") from error
    if found := problems(generation):
        raise BadGenerationError("; ".join(found))
    return generation


def problems(generation: Generation) -> list[str]:
    """Every reason why this generation must not be used, as sentences that name the row."""
    return [sentence for some in looked_over(generation) for sentence in some]


LOOKED_OVER = 250
"""VirtualMTAs looked over in one step: half a millisecond."""


def looked_over(generation: Generation) -> Iterator[list[str]]:
    """The same, step by step: whoever must not stand still for long takes a turn between two."""
    yield _duplicates(generation)
    for begin in range(0, len(generation.vmtas), LOOKED_OVER):
        some = generation.vmtas[begin : begin + LOOKED_OVER]
        yield [sentence for vmta in some for sentence in _vmta_problems(generation, vmta)]
    # Once for all pools: looking for each member in every pool took seconds with 5,000 of them.
    holders: dict[str, list[str]] = {}
    for pool in generation.pools:
        for member in pool.members:
            holders.setdefault(member, []).append(pool.tenant)
    yield [text for pool in generation.pools for text in _pool_problems(generation, pool, holders)]
    yield circles({pool.name: pool.overflow for pool in generation.pools})
    yield [text for tenant in generation.tenants for text in _tenant_problems(generation, tenant)]


def _vmta_problems(generation: Generation, vmta: VirtualMta) -> list[str]:
    found = []
    if vmta.server not in generation.server:
        found.append(f"VirtualMTA {vmta.name}: PowerMTA server {vmta.server} does not exist")
    try:
        ipaddress.ip_address(vmta.ip)
    except ValueError:
        found.append(f"VirtualMTA {vmta.name}: {vmta.ip!r} is not an IP address")
    return found


def _duplicates(generation: Generation) -> list[str]:
    found = []
    # Pools and VirtualMTAs share one name space in PowerMTA, compared without case.
    names: dict[str, str] = {SYSTEM_VIRTUAL_MTA: "the system VirtualMTA"}
    ips: dict[str, str] = {}
    for vmta in generation.vmtas:
        if other := ips.get(vmta.ip):
            found.append(f"IP {vmta.ip} belongs to two VirtualMTAs, {other} and {vmta.name}")
        ips[vmta.ip] = vmta.name
        if other := names.get(vmta.name.lower()):
            found.append(f"VirtualMTA {vmta.name}: the name is taken by {other}")
        names[vmta.name.lower()] = f"VirtualMTA {vmta.name}"
    for pool in generation.pools:
        if other := names.get(pool.name.lower()):
            found.append(f"pool {pool.name}: the name is taken by {other}")
        names[pool.name.lower()] = f"pool {pool.name}"
    logins: dict[str, str] = {}
    for tenant in generation.tenants:
        for login in tenant.logins:
            if other := logins.get(login.name):
                found.append(
                    f"login {login.name} belongs to two tenants, {other} and {tenant.name}"
                )
            logins[login.name] = tenant.name
    return found


def _pool_problems(generation: Generation, pool: Pool, holders: dict[str, list[str]]) -> list[str]:
    """`holders`: VirtualMTA to the tenants of the pools it is in."""
    found = []
    if pool.tenant not in generation.tenant:
        found.append(f"pool {pool.name}: tenant {pool.tenant} does not exist")
    for member in pool.members:
        if member not in generation.vmta:
            found.append(f"pool {pool.name}: VirtualMTA {member} does not exist")
        found += [
            f"VirtualMTA {member} is in pools of two tenants, {pool.tenant} and {other}"
            for other in holders[member]
            if other > pool.tenant
        ]
    if pool.overflow is not None:
        target = generation.pool.get(pool.overflow)
        if target is None:
            found.append(f"pool {pool.name}: overflow pool {pool.overflow} does not exist")
        elif target.tenant != pool.tenant:
            found.append(
                f"pool {pool.name}: overflow pool {pool.overflow} belongs to another tenant"
            )
    return found


def _tenant_problems(generation: Generation, tenant: Tenant) -> list[str]:
    found = []
    for domain, name in [("(default)", tenant.default_pool), *tenant.domains.items()]:
        pool = generation.pool.get(name)
        if pool is None:
            found.append(
                f"tenant {tenant.name}: domain {domain} uses pool {name}, which does not exist"
            )
        elif pool.tenant != tenant.name:
            found.append(
                f"tenant {tenant.name}: domain {domain} uses pool {name} of another tenant"
            )
    for text in tenant.networks:
        try:
            network(text)
        except ValueError as error:
            found.append(f"tenant {tenant.name}: network {text}: {error}")
    return found
