"""Generations for tests, from the few words a test cares about."""

from typing import Any

import msgspec
from argon2 import PasswordHasher

from policy.model import Address, IpState, Login, Pool, Server, Tenant, VirtualMta
from policy.plan import Generation

# The cheapest argon2: tests check logins by the hundred, and the parameters are in the hash.
_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "secret"
PASSWORD_HASH = _HASHER.hash(PASSWORD)


def vmta(number: int, **changes: Any) -> VirtualMta:
    """VirtualMTA `vmta-N` on 192.0.2.N: 100 recipients a day, not paced."""
    base = VirtualMta(
        name=f"vmta-{number}",
        ip=f"192.0.2.{number}",
        host_name=f"mail{number}.acme.test",
        server="pmta1",
        state=IpState.WARMING,
        daily=100,
        hourly_share=1.0,
    )
    return msgspec.structs.replace(base, **changes)


def tenant(name: str = "acme", **changes: Any) -> Tenant:
    """A tenant whose login is its name and whose default pool is `NAME-pool`."""
    login = Login(name=name, hash=PASSWORD_HASH)
    base = Tenant(name=name, logins=(login,), default_pool=f"{name}-pool")
    return msgspec.structs.replace(base, **changes)


def generation(
    *vmtas: VirtualMta,
    number: int = 1,
    port: int = 2525,
    tenants: tuple[Tenant, ...] | None = None,
    pools: tuple[Pool, ...] | None = None,
    **changes: Any,
) -> Generation:
    """One server, tenant acme and its pool with all `vmtas`, unless said otherwise."""
    rows = vmtas or (vmta(1),)
    return Generation(
        number=number,
        created=0.0,
        vmtas=rows,
        pools=pools
        or (Pool(name="acme-pool", tenant="acme", members=tuple(v.name for v in rows)),),
        tenants=(tenant(),) if tenants is None else tenants,
        **{
            "servers": (Server(name="pmta1", addresses=(Address(host="127.0.0.1", port=port),)),),
            **changes,
        },
    )
