"""Sending domains: domain, DKIM key, IP, VirtualMTA, pool and warm-up plan in one step."""

import asyncio
import ipaddress
import re
from typing import Annotated

import asyncpg
import msgspec

from control.act import Act
from control.change.quota import QuotaText, quota_columns
from control.compile import DEFAULT_PLAN
from control.dkim import Seal
from control.problem import RefusedError, bad, missing
from control.store.rows import vmta_by_ip
from control.store.statements import statements
from policy.address import normal_domain
from policy.model import Name, Share
from settings.model import Warmup

_SQL = statements("domain")
_POOL = statements("pool")
_VMTA = statements("vmta")
_TENANT = statements("tenant")
_SERVER = statements("server")


class NewDomain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sending domain and the IP that carries it."""

    tenant: Name
    domain: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    ip: str
    """Source IP; one of the tenant's own is used again."""
    pool: Name | None = None
    """Pool of the tenant, made when it does not exist; none takes the default pool."""
    quota: QuotaText | None = None
    """Recipients a day (switches the warm-up plan off), `unlimited`, or `plan`."""
    hourly_share: Share | None = None
    """Largest burst as a share of the day; 1.0 switches pacing off."""
    host_name: str | None = None
    """The IP's host name, as in its PTR record; none takes `mtaN.DOMAIN`."""
    vmta: Name | None = None
    """VirtualMTA name; none takes one from the IP."""
    server: Name | None = None
    """PowerMTA server; none takes the only one."""
    overflow: Name | None = None
    """Pool that takes what this domain's pool may not send now."""


async def add(act: Act, new: NewDomain, *, seal: Seal, warmup: Warmup) -> str:
    """Returns the domain in normal form. Raises RefusedError."""
    domain = normal_domain(new.domain)
    if domain is None or domain.startswith("[") or "." not in domain:
        raise bad("domain", f"{new.domain!r} is not a domain name")
    ip = normal_ip(new.ip)
    tenant = await act.connection.fetchrow(_TENANT["lock"], new.tenant)
    if tenant is None:
        raise missing("tenant", new.tenant)
    if await act.connection.fetchrow(_SQL["one"], new.tenant, domain) is not None:
        raise RefusedError(f"tenant {new.tenant} has domain {domain} already")
    pool = new.pool or tenant["default_pool"]
    await _pool(act, new.tenant, pool)
    if new.overflow is not None:
        await _pool(act, new.tenant, new.overflow)
        await act.connection.execute(_POOL["set_overflow"], new.tenant, pool, new.overflow)
    vmta = await _vmta(act, new, domain, ip, warmup)
    await act.connection.execute(_POOL["add_member"], new.tenant, pool, vmta)
    key = await asyncio.to_thread(seal.new_key)
    selector = f"sg{act.now:%Y%m}"
    await act.connection.execute(
        _SQL["add"], new.tenant, domain, pool, selector, key.public, key.sealed, act.now
    )
    after = {"tenant": new.tenant, "ip": ip, "vmta": vmta, "pool": pool, "selector": selector}
    await act.audit("domain.add", domain, None, after)
    return domain


def normal_ip(text: str) -> str:
    """The usual spelling of an IP. Raises RefusedError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise bad("ip", f"{text!r} is not an IP address") from error


async def _pool(act: Act, tenant: str, name: str) -> None:
    if await act.connection.fetchrow(_POOL["one"], tenant, name) is None:
        try:
            await act.connection.execute(_POOL["add"], name, tenant, None, act.now)
        except asyncpg.UniqueViolationError as error:
            raise RefusedError(f"the pool name {name} is taken; choose another") from error


async def _vmta(act: Act, new: NewDomain, domain: str, ip: str, warmup: Warmup) -> str:
    """The name of the IP's VirtualMTA: the tenant's existing one, else a new one."""
    row = await vmta_by_ip(act.connection, ip)
    if row is not None:
        if row.tenant != new.tenant:
            raise RefusedError(f"IP {ip} is not available to tenant {new.tenant}")
        given = {"quota": new.quota, "hourly_share": new.hourly_share}
        given |= {"host_name": new.host_name, "vmta": new.vmta, "server": new.server}
        if kept := [field for field, value in given.items() if value is not None]:
            raise RefusedError(
                f"IP {ip} exists already as VirtualMTA {row.name}: its {', '.join(kept)} cannot "
                "be set here; use `sendgate ip set`",
            )
        return row.name
    name = new.vmta or "vmta-" + re.sub(r"[.:]+", "-", ip).strip("-")
    host = await _host_name(act, new, domain)
    source, number = quota_columns("plan" if new.quota is None else new.quota)
    plan, stage = (DEFAULT_PLAN, 1) if source == "plan" else (None, None)
    state = "warming" if source == "plan" else "active"
    share = warmup.hourly_share if new.hourly_share is None else new.hourly_share
    server = await _server(act, new.server)
    try:
        await act.connection.execute(
            _VMTA["add"],
            *(name, new.tenant, ip, host, server, state, source, number, share, plan, stage),
            act.now,
        )
    except asyncpg.UniqueViolationError as error:
        raise RefusedError(f"the VirtualMTA name {name} is taken; choose another") from error
    await act.connection.execute(
        _VMTA["add_history"],
        name,
        act.now,
        None,
        str(new.quota or "plan"),
        None,
        stage,
        act.who,
        "",
    )
    return name


async def _host_name(act: Act, new: NewDomain, domain: str) -> str:
    if new.host_name is not None:
        host = normal_domain(new.host_name)
        if host is None or host.startswith("[") or "." not in host:
            raise bad("host_name", f"{new.host_name!r} is not a host name")
        return host
    taken = {row["host_name"] for row in await act.connection.fetch(_VMTA["all"])}
    number = 1
    while f"mta{number}.{domain}" in taken:
        number += 1
    return f"mta{number}.{domain}"


async def _server(act: Act, wanted: str | None) -> str:
    names = [row["name"] for row in await act.connection.fetch(_SERVER["all"])]
    if wanted is not None:
        if wanted not in names:
            raise missing("PowerMTA server", wanted)
        return wanted
    if not names:
        raise RefusedError("there is no PowerMTA server yet; add one with `sendgate server set`")
    if len(names) > 1:
        raise bad("server", f"several exist, name one of {', '.join(names)}")
    return str(names[0])
