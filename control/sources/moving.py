"""Domains and IPs moved to another pool of their tenant. Held mail follows: a releaser asks for the
pool of a message's domain each time it looks at it."""

from typing import Annotated

import msgspec

from control.plan.rows import vmta_by_ip
from control.problem import bad, in_the_way, missing
from control.sources.removal import alone, must_be_of, one_domain
from control.store.change import Act
from control.values.ip import normal_ip
from control.values.reason import ReasonText
from control.values.wanted import meant
from policy.model import Name
from settings.statements import statements

_SQL = statements(__package__, "removal")
_POOL = statements(__package__, "pool")


class DomainMove(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a domain goes."""

    pool: Annotated[Name, meant("A pool of the same tenant.")]
    reason: ReasonText = ""


class IpMove(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an IP goes."""

    pool: Annotated[Name, meant("A pool of the same tenant.")]
    leaves: Annotated[Name | None, meant("The pool it leaves; else all others.")] = None
    reason: ReasonText = ""


async def move_domain(act: Act, tenant: str | None, domain: str, wanted: DomainMove) -> str:
    """Returns the tenant. Raises RefusedError."""
    row = await one_domain(act, tenant, domain)
    owner = row["tenant"]
    await must_be_of(act, wanted.pool, owner)
    if row["pool"] == wanted.pool:
        act.no_change(f"domain {domain} uses pool {wanted.pool} already")
        return owner
    if not await act.connection.fetch(_SQL["members"], wanted.pool):
        raise in_the_way(
            f"domain {domain}",
            [f"pool {wanted.pool} has no IP: `sendgate ip move IP --pool {wanted.pool}` first"],
        )
    await act.connection.execute(_SQL["move_domain"], owner, domain, wanted.pool)
    await act.audit(
        "domain.move", domain, {"pool": row["pool"]}, {"pool": wanted.pool}, wanted.reason
    )
    if waiting := await act.connection.fetchval(_SQL["held_of_domain"], owner, domain):
        act.note(f"{waiting} held messages of it go with it")
    return owner


async def move_ip(act: Act, ip: str, wanted: IpMove) -> str:
    """Returns the IP in its usual spelling. Raises RefusedError."""
    ip = normal_ip(ip)
    row = await vmta_by_ip(act.connection, ip)
    if row is None:
        raise missing("IP", ip)
    await must_be_of(act, wanted.pool, row.tenant)
    pools = [r["pool"] for r in await act.connection.fetch(_SQL["pools_of"], row.name)]
    leaves = [pool for pool in pools if pool != wanted.pool]
    if wanted.leaves is not None:
        if wanted.leaves not in pools:
            raise bad("leaves", f"IP {ip} is not in pool {wanted.leaves}")
        leaves = [pool for pool in leaves if pool == wanted.leaves]
    if not leaves and wanted.pool in pools:
        act.no_change(f"IP {ip} is in pool {wanted.pool} already")
        return ip
    if found := await alone(act, row.name, leaves):
        raise in_the_way(f"IP {ip}", found)
    await act.connection.execute(_SQL["leave"], row.name, leaves)
    await act.connection.execute(_POOL["add_member"], row.tenant, wanted.pool, row.name)
    after = sorted({*pools, wanted.pool} - {*leaves})
    await act.audit("ip.move", ip, {"pools": pools}, {"pools": after}, wanted.reason)
    act.note("the SPF records of the pools changed: `sendgate domain show DOMAIN` of each")
    return ip
