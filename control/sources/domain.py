"""Sending domains: domain, DKIM key, IP, VirtualMTA, pool and warm-up plan in one step."""

import asyncio
import re
from datetime import timedelta
from typing import Annotated

import msgspec

from control.plan.compile import DEFAULT_PLAN
from control.plan.rows import vmta_by_ip
from control.pmta.dkim import Seal
from control.pmta.server import names as server_names
from control.problem import RefusedError, bad
from control.sources.ip import own_host_name
from control.sources.pool import ensure, overflow_to
from control.sources.quota import QuotaText, quota_columns
from control.sources.spf import LONGEST_DOMAIN
from control.store.change import Act
from control.store.reference import must
from control.store.refusal import unless_taken
from control.tenants.poolname import holder_of
from control.tenants.tenant import default_pool
from control.values.host import DomainText, GreetingText, domain_name
from control.values.ip import IpText, sending_ip
from control.values.name import NewName, new_name
from control.values.wanted import meant
from policy.model import Name, Share
from settings.model import Warmup
from settings.statements import statements

_SQL = statements(__package__, "domain")
_POOL = statements(__package__, "pool")
_VMTA = statements(__package__, "vmta")


WEEK = timedelta(days=7)

_NAMED = 3
"""Domains of a pool said in a note."""


class NewDomain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sending domain and the IP that carries it."""

    tenant: Name
    domain: Annotated[
        DomainText,
        msgspec.Meta(extra_json_schema={"allOf": [{"pattern": f"^.{{1,{LONGEST_DOMAIN}}}\\.*$"}]}),
    ]
    ip: Annotated[IpText, meant("Source IP; one of the tenant's own is used again.")]
    pool: Annotated[
        Name | None, meant("Pool of the tenant, made if new; else the default pool.")
    ] = None
    quota: Annotated[
        QuotaText | None,
        meant("Recipients a day (switches the warm-up plan off), unlimited, or plan."),
    ] = None
    hourly_share: Annotated[
        Share | None, meant("Largest burst as a share of the day; 1.0 switches pacing off.")
    ] = None
    host_name: Annotated[
        GreetingText | None, meant("The IP's host name, as in its PTR record; else mtaN.DOMAIN.")
    ] = None
    vmta: Annotated[NewName | None, meant("VirtualMTA name; else from the IP.")] = None
    server: Annotated[Name | None, meant("PowerMTA server; else the only one.")] = None
    overflow: Annotated[
        Name | None, meant("Pool that takes what this domain's pool may not send now.")
    ] = None


async def add(act: Act, new: NewDomain, *, seal: Seal, warmup: Warmup) -> str:
    """Returns the domain in normal form. Raises RefusedError."""
    domain = domain_name("domain", new.domain)
    if len(domain) > LONGEST_DOMAIN:
        raise bad(
            "domain",
            f"{domain[:20]}… has {len(domain)} octets; at most {LONGEST_DOMAIN}, so that the names "
            "of its DNS records have at most 253",
        )
    ip = sending_ip(new.ip)
    its_default = await default_pool(act, new.tenant)
    there = await act.connection.fetchrow(_SQL["one"], new.tenant, domain)
    if there is not None:
        pool = str(there["pool"])
        if new.pool not in (None, pool):
            raise bad("pool", f"domain {domain} uses pool {pool}: an IP is added to that one")
    else:
        await _not_elsewhere(act, new.tenant, domain)
        await _no_brand(act, new.tenant, domain)
        pool = new.pool or its_default
        await ensure(act, new.tenant, pool)
    if new.overflow is not None:
        await overflow_to(act, new.tenant, pool, new.overflow)
    vmta = await _vmta(act, new, domain, ip, warmup)
    if there is not None and await act.connection.fetchrow(_POOL["member"], new.tenant, pool, vmta):
        raise RefusedError(f"tenant {new.tenant} has domain {domain} on IP {ip} already")
    await act.connection.execute(_POOL["add_member"], new.tenant, pool, vmta)
    if there is not None:
        added = {"tenant": new.tenant, "ip": ip, "vmta": vmta, "pool": pool}
        await act.audit("domain.add_ip", domain, None, added)
        return domain
    key = await asyncio.to_thread(seal.new_key)
    selector = f"sg{act.now:%Y%m}"
    await act.connection.execute(
        _SQL["add"], new.tenant, domain, pool, selector, key.public, key.sealed, act.now
    )
    after = {"tenant": new.tenant, "ip": ip, "vmta": vmta, "pool": pool, "selector": selector}
    await act.audit("domain.add", domain, None, after)
    await _sharing(act, new.tenant, pool, domain)
    await _soon(act, new.tenant, domain)
    return domain


async def _sharing(act: Act, tenant: str, pool: str, domain: str) -> None:
    """Who adds a second domain for its own IP means its own pool more often than not."""
    others = [
        row["domain"] for row in await act.connection.fetch(_SQL["sharing"], tenant, pool, domain)
    ]
    if not others:
        return
    named = ", ".join(others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    act.note(
        f"{domain} shares pool {pool} with {named}{more}: each goes through all IPs of the pool, "
        "on one quota and one reputation; --pool NAME gives a domain its own"
    )


async def _soon(act: Act, tenant: str, domain: str) -> None:
    """Providers that see several new domains of one sender at a time doubt all of them."""
    other = await act.connection.fetchval(_SQL["newest"], tenant, domain, act.now - WEEK)
    if other is not None:
        act.note(
            f"{other} was added within this week: one new domain a week is what providers bear; "
            "`sendgate plan growth` says what that gives when"
        )


async def _not_elsewhere(act: Act, tenant: str, domain: str) -> None:
    if await act.connection.fetchval(_SQL["elsewhere"], tenant, domain) is not None:
        raise bad("domain", f"{domain} belongs to another tenant: a domain is one tenant's")


async def _no_brand(act: Act, tenant: str, domain: str) -> None:
    """What bulk mail does to a domain's reputation stays off the one people know. A domain below
    it has a reputation of its own, and is not refused."""
    if await act.connection.fetchval(_SQL["brand"], tenant, domain):
        raise bad(
            "domain",
            f"{domain} is a brand domain of tenant {tenant}: send from another one, or from one "
            f"below it; `sendgate tenant set {tenant} --brand-domain` gives the list anew, "
            "`--no-brand-domains` empties it",
        )


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
                "be set here; use `sendgate ip set` (`ip relocate` for the server)",
            )
        return row.name
    name = new.vmta or "vmta-" + re.sub(r"[.:]+", "-", ip).strip("-")
    new_name("vmta", name)
    if (holder := await holder_of(act, name)) is not None:
        raise bad("vmta", f"the name {name} is taken by {holder}; choose another with --vmta")
    host = await _host_name(act, new, domain, ip)
    source, number = quota_columns("plan" if new.quota is None else new.quota)
    plan, stage = (DEFAULT_PLAN, 1) if source == "plan" else (None, None)
    state = "warming" if source == "plan" else "active"
    share = warmup.hourly_share if new.hourly_share is None else new.hourly_share
    server = await _server(act, new.server)
    with unless_taken(bad("vmta", f"the name {name} is taken; choose another with --vmta")):
        await act.connection.execute(
            _VMTA["add"],
            *(name, new.tenant, ip, host, server, state, source, number, share, plan, stage),
            act.now,
        )
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
        None,
        state,
    )
    return name


async def _host_name(act: Act, new: NewDomain, domain: str, ip: str) -> str:
    if new.host_name is not None:
        return await own_host_name(act, new.host_name, ip)
    taken = {row["host_name"] for row in await act.connection.fetch(_VMTA["below"], f".{domain}")}
    number = 1
    while f"mta{number}.{domain}" in taken:
        number += 1
    return f"mta{number}.{domain}"


async def _server(act: Act, wanted: str | None) -> str:
    if wanted is not None:
        return await must(act.connection, "server", wanted)
    names = await server_names(act.connection)
    if not names:
        raise RefusedError("there is no PowerMTA server yet; add one with `sendgate server set`")
    if len(names) > 1:
        raise bad("server", f"several exist, name one of {', '.join(names)}")
    return str(names[0])
