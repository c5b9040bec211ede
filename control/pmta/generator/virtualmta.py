"""VirtualMTAs and pools with what they sign and how much they may attempt. Pure.

The second wall (policy/README.md): PowerMTA itself holds back what would be far over an IP's
quota, should anything feed the VirtualMTA past the gateway. It counts attempts of recipients, and
whether its day is a calendar's no guide says: so it is some times the quota.
"""

import ipaddress
import math
from collections.abc import Iterator, Mapping

from control.pmta.generator.providers import queues
from control.pmta.generator.terms import Terms
from control.pmta.generator.text import block, path, value
from policy.model import Pool, VirtualMta
from policy.overflow import chain
from policy.plan import Generation


def key_file(domain: str, selector: str) -> str:
    """The name of a DKIM key's file."""
    return f"{domain}.{selector}.pem"


def signed(generation: Generation, terms: Terms) -> dict[str, list[str]]:
    """VirtualMTA to the `domain-key` lines of the domains it may carry, overflow included. Raises
    ConfigValueError."""
    if not terms.keys:
        return {}
    folder = path(terms.keys)
    found: dict[str, list[str]] = {}
    for tenant in generation.tenants:
        for domain, name in sorted(tenant.domains.items()):
            selector = terms.selectors.get((tenant.name, domain))
            if selector is None:
                continue
            file = value(f"{folder}/{key_file(domain, selector)}")
            line = f"domain-key {value(selector)},{value(domain)},{file}"
            first = generation.pool.get(name)
            for pool in chain(first, generation.pool) if first is not None else ():
                for member in pool.members:
                    if line not in found.setdefault(member, []):
                        found[member].append(line)
    return found


def virtual_mta(vmta: VirtualMta, keys: list[str], terms: Terms) -> str:
    """Its block. Raises ConfigValueError."""
    ip, host = str(ipaddress.ip_address(vmta.ip)), value(vmta.host_name)
    lines = [f"smtp-source-host {ip} {host}", f"host-name {host}"]
    if terms.wall:
        lines += _wall(vmta, terms)
    if keys:
        lines += [*keys, "<domain *>", "    dkim-sign yes", "</domain>"]
    return block("virtual-mta", vmta.name, [*lines, *_own(vmta.name, terms.own)])


def pool(found: Pool, members: list[VirtualMta], terms: Terms) -> str:
    """Its block; PowerMTA takes the members in turn, without weights. Raises ConfigValueError."""
    lines = [f"virtual-mta {value(member.name)}" for member in members]
    if len({member.weight for member in members}) > 1:
        lines.insert(0, "# Weights act in the gateway: a pool takes its VirtualMTAs in turn.")
    return block("virtual-mta-pool", found.name, [*lines, *_own(found.name, terms.own)])


def _wall(vmta: VirtualMta, terms: Terms) -> Iterator[str]:
    if isinstance(vmta.daily, int) and vmta.daily:
        most = math.ceil(terms.wall * vmta.daily)
        yield f"# {vmta.daily} recipients a day; {terms.wall:g} times that many attempts."
        yield f"max-smtp-msg-rate {most}/d"
    for provider, ceiling in sorted(vmta.ceilings.items()):
        if ceiling and terms.rollups:
            for queue in queues(provider):
                yield f"<domain {queue}>"
                yield f"    max-msg-rate {math.ceil(terms.wall * ceiling)}/d"
                yield "</domain>"


def _own(name: str, own: Mapping[str, str]) -> Iterator[str]:
    if text := own.get(name, ""):
        yield "# Lines of your own (`sendgate pmta own`):"
        yield from text.splitlines()
