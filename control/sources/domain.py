"""Sending domains: domain, DKIM key, IP, VirtualMTA, pool and warm-up plan in one step."""

import asyncio
from datetime import timedelta
from typing import Annotated, NamedTuple

import msgspec

from control.pmta.dkim import DkimKey, Seal
from control.problem import RefusedError, bad
from control.sources.pool import ensure, overflow_to, put_member
from control.sources.quota import QuotaText
from control.sources.spf import LONGEST_DOMAIN
from control.sources.vmta import NewVmta, ensure_vmta
from control.store.change import Act
from control.tenants.tenant import default_pool
from control.values.host import DomainText, GreetingText, domain_name
from control.values.ip import IpText, sending_ip
from control.values.name import NewName
from control.values.wanted import meant
from policy.model import Name, Share
from settings.model import Warmup
from settings.statements import statements

_SQL = statements(__package__, "domain")

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


class GivenKey(NamedTuple):
    """A DKIM key that signs already."""

    selector: str
    key: DkimKey


async def add(
    act: Act, new: NewDomain, *, seal: Seal, warmup: Warmup, given: GivenKey | None = None
) -> str:
    """Returns the domain in normal form; without a `given` key it gets a new one. Raises
    RefusedError."""
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
    vmta = await ensure_vmta(
        act,
        NewVmta(
            tenant=new.tenant,
            ip=ip,
            name=new.vmta,
            host_name=new.host_name,
            server=new.server,
            quota=new.quota,
            hourly_share=new.hourly_share,
        ),
        below=domain,
        warmup=warmup,
    )
    if not await put_member(act, new.tenant, pool, vmta) and there is not None:
        raise RefusedError(f"tenant {new.tenant} has domain {domain} on IP {ip} already")
    if there is not None:
        added = {"tenant": new.tenant, "ip": ip, "vmta": vmta, "pool": pool}
        await act.audit("domain.add_ip", domain, None, added, tenant=new.tenant)
        return domain
    if given is None:
        given = GivenKey(f"sg{act.now:%Y%m}", await asyncio.to_thread(seal.new_key))
    selector, key = given
    await act.connection.execute(
        _SQL["add"], new.tenant, domain, pool, selector, key.public, key.sealed, act.now
    )
    after = {"tenant": new.tenant, "ip": ip, "vmta": vmta, "pool": pool, "selector": selector}
    await act.audit("domain.add", domain, None, after, tenant=new.tenant)
    await _sharing(act, new.tenant, pool, domain)
    await _soon(act, new.tenant, domain)
    return domain


async def pool_of(act: Act, tenant: str, name: str) -> str | None:
    """Of a domain of the tenant; None: it has none such. Raises RefusedError."""
    row = await act.connection.fetchrow(_SQL["one"], tenant, domain_name("domain", name))
    return None if row is None else str(row["pool"])


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
