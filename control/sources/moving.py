"""Domains and IPs moved to another pool of their tenant, and IPs to another PowerMTA server.

Held mail follows to a pool: a releaser asks for that of a message's domain each time it looks at
it. To a server it is different: PowerMTA there has nothing of what the former one queued for the
VirtualMTA, which goes on from an address that it has no more. So an IP that moves is stopped first,
and stays while mail may be queued, as one that is removed does.
"""

from typing import Annotated

import msgspec

from control.plan.changed import Charged
from control.plan.rows import vmta_by_ip
from control.problem import bad, in_the_way, missing
from control.sources.removal import alone, must_be_of, one_domain, still_there
from control.store.change import Act
from control.store.reference import must
from control.values.ip import normal_ip
from control.values.reason import ReasonText
from control.values.wanted import meant
from policy.model import Name
from policy.number import agree, count
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


class IpServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an IP is from now on."""

    server: Annotated[Name, meant("A PowerMTA server, which has the address.")]
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
        *("domain.move", domain, {"pool": row["pool"]}, {"pool": wanted.pool}, wanted.reason),
        tenant=owner,
    )
    if waiting := await act.connection.fetchval(_SQL["held_of_domain"], owner, domain):
        act.note(f"{count(waiting, 'held message')} of it {agree(waiting, 'goes', 'go')} with it")
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
    said = {"pools": pools}, {"pools": after}
    await act.audit("ip.move", ip, *said, wanted.reason, tenant=row.tenant)
    act.note("the SPF records of the pools changed: `sendgate domain show DOMAIN` of each")
    return ip


async def move_to_server(
    act: Act, ip: str, wanted: IpServer, charged: Charged, *, force: bool = False
) -> str:
    """Returns the IP in its usual spelling. Raises RefusedError.

    `force`: an operator looked, and PowerMTA has nothing queued for it."""
    ip = normal_ip(ip)
    row = await vmta_by_ip(act.connection, ip)
    if row is None:
        raise missing("IP", ip)
    server = await must(act.connection, "server", wanted.server)
    if server == row.server:
        act.no_change(f"IP {ip} is on server {server} already")
        return ip
    found = []
    if row.state not in ("new", "paused", "retiring"):
        found.append(f"it is {row.state}: `sendgate ip pause {ip}` first")
    found += await still_there(act, ip, row.name, charged, force=force)
    if found:
        raise in_the_way(f"IP {ip}", found)
    await act.connection.execute(_SQL["move_to_server"], row.name, server)
    await act.audit(
        "ip.move_to_server",
        ip,
        {"server": row.server},
        {"server": server, "force": force},
        wanted.reason,
        tenant=row.tenant,
    )
    act.note(
        f"PowerMTA on {server} needs the address and the new configuration, before `sendgate ip "
        f"resume {ip}`"
    )
    return ip
