"""`sendgate seed`: two tenants with their pools, IPs and sending domains; safe to run again."""

import ipaddress
import secrets
from typing import Annotated, Any

import msgspec
import typer

from control.plan.changed import Changed
from control.problem import RefusedError
from control.sources.domainview import DomainView
from control.sources.poolview import PoolDetail
from control.tenants.view import TenantView
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say
from control.terminal.usage import misused
from policy.number import count as numbered

TENANTS = {"sos-expat": "vmta-sos", "ulixai": "vmta-ulixai"}
"""To what their VirtualMTAs' names begin with."""
EACH = 50


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """Of one tenant."""

    tenant: str
    pool: str
    added: int
    there: int
    """Domains that were there already."""
    login: str
    password: str | None
    """Of a tenant that is new, and shown this once."""


def seed(
    context: typer.Context,
    sos_ips: Annotated[str, typer.Option(help="Network of sos-expat's IPs.")] = "198.51.100.0/24",
    ulixai_ips: Annotated[str, typer.Option(help="Network of ulixai's IPs.")] = "203.0.113.0/24",
    sos_domain: Annotated[
        str, typer.Option(help="sos-expat's sending domains are mailN.DOMAIN.")
    ] = "sos-expat.example",
    ulixai_domain: Annotated[
        str, typer.Option(help="ulixai's sending domains are mailN.DOMAIN.")
    ] = "ulixai.example",
    count: Annotated[
        int, typer.Option(min=1, max=EACH, help="IPs, and domains, of each tenant.")
    ] = EACH,
    server: Annotated[str | None, typer.Option(help="PowerMTA server; else the only one.")] = None,
) -> None:
    """Set up sos-expat and ulixai, each with its pool, IPs and sending domains."""
    line = line_of(context)
    client = Client(line)
    found = []
    given = {"sos-expat": (sos_ips, sos_domain), "ulixai": (ulixai_ips, ulixai_domain)}
    for tenant, (network, domain) in given.items():
        addresses = _addresses(network, count)
        found.append(_tenant(client, tenant, addresses, domain, server, quiet=line.json))
    if line.json:
        as_json(found)
        return
    for one in found:
        say(
            f"{one.tenant}: {numbered(one.added, 'domain')} added, {one.there} were there, pool "
            f"{one.pool}"
        )
        if one.password is not None:
            say(f"  login {one.login}, password {one.password} (shown this once)")


def _tenant(
    client: Client,
    tenant: str,
    addresses: list[str],
    domain: str,
    server: str | None,
    *,
    quiet: bool,
) -> Seeded:
    pool, password = f"{tenant}-pool", None
    try:
        client.get(f"/api/v2/tenants/{tenant}", TenantView)
    except RefusedError as error:
        if error.status != 404:
            raise
        password = secrets.token_urlsafe(24)
        new = {"name": tenant, "login": tenant, "password": password}
        client.send("POST", "/api/v2/tenants", new, Changed[Any])
    known = client.pages("/api/v2/domains", DomainView, tenant=tenant)
    there = {one.domain for one in known}
    added = 0
    for number, address in enumerate(addresses, 1):
        name = f"mail{number}.{domain}"
        if name in there:
            continue
        body = {"tenant": tenant, "domain": name, "ip": address, "pool": pool, "server": server}
        body["vmta"] = f"{TENANTS[tenant]}-{number}"
        client.send("POST", "/api/v2/domains", body, Changed[DomainView])
        added += 1
        if not quiet and (added % 10 == 0 or number == len(addresses)):
            say(f"{tenant}: {number} of {len(addresses)}")
    client.send("PATCH", f"/api/v2/pools/{pool}", {"default": True}, Changed[PoolDetail])
    return Seeded(
        tenant=tenant,
        pool=pool,
        added=added,
        there=len(addresses) - added,
        login=tenant,
        password=password,
    )


def _addresses(network: str, count: int) -> list[str]:
    try:
        hosts = ipaddress.ip_network(network).hosts()
    except ValueError as error:
        raise misused(f"{network!r} is no network such as 198.51.100.0/24") from error
    found = [str(host) for host, _ in zip(hosts, range(count), strict=False)]
    if len(found) < count:
        raise misused(f"{network} has {len(found)} addresses: {count} are needed")
    return found
