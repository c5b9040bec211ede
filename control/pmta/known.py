"""What PowerMTA knows by a configuration, as far as a gateway or a recipient depends on it. Pure.

VirtualMTAs with their addresses, pools, and who signs as whom: a gateway may name or need them as
soon as its plan has them. Rates and limits are not among them: mail goes by the old ones until the
new ones are in force.
"""

import re

from control.pmta.fileset import FileSet

Fact = tuple[str, ...]
"""`("virtual-mta", name, address)`, `("virtual-mta-pool", name)` or `("domain-key", VirtualMTA,
selector, domain)`."""

VIRTUAL_MTA = "virtual-mta"
"""A fact of this kind: what gateways name."""
DOMAIN_KEY = "domain-key"
"""One of this kind: who signs as whom."""

OPEN = re.compile(r"<(virtual-mta|virtual-mta-pool)\s+([^\s>]+)\s*>")
"""The line that begins a VirtualMTA's or a pool's block; its kind and its name."""
CLOSE = re.compile(r"</virtual-mta(?:-pool)?>")
KEY = re.compile(r"domain-key\s+([^\s,]+),\s*([^\s,]+),\s*(\S+)")


def facts(fileset: FileSet) -> frozenset[Fact]:
    """Of one server."""
    found: set[Fact] = set()
    inside = ""
    for line in map(str.strip, fileset.whole().splitlines()):
        if match := OPEN.match(line):
            inside = match[2]
            found.add((match[1], inside))
        elif CLOSE.match(line):
            inside = ""
        elif inside and line.startswith("smtp-source-host "):
            found.add((VIRTUAL_MTA, inside, line.split()[1]))
        elif match := KEY.match(line):
            found.add((DOMAIN_KEY, inside, match[1], match[2]))
    return frozenset(found)


def names(fileset: FileSet) -> list[str]:
    """VirtualMTAs, in order: a gateway names no pools, and whether PowerMTA shows those among its
    VirtualMTAs no guide says."""
    return sorted({fact[1] for fact in virtual_mtas(facts(fileset))})


def virtual_mtas(found: frozenset[Fact]) -> frozenset[Fact]:
    """Of facts those that gateways name."""
    return frozenset(fact for fact in found if fact[0] == VIRTUAL_MTA)


def unsigned(needs: frozenset[Fact], has: frozenset[Fact]) -> tuple[list[str], list[str]]:
    """Domains whose mail some VirtualMTA signs by `needs` and not by `has`, and those that it signs
    with another key."""
    wanted, there = _signing(needs), _signing(has)
    lacks = {domain for vmta, domain in wanted.keys() - there.keys()}
    other = {
        domain for (vmta, domain), keys in wanted.items() if keys != there.get((vmta, domain), keys)
    }
    return sorted(lacks), sorted(other - lacks)


def _signing(found: frozenset[Fact]) -> dict[tuple[str, str], set[str]]:
    """(VirtualMTA, domain) to selectors."""
    keys: dict[tuple[str, str], set[str]] = {}
    for fact in found:
        if fact[0] == DOMAIN_KEY:
            keys.setdefault((fact[1], fact[3]), set()).add(fact[2])
    return keys


def key_names(fileset: FileSet) -> list[str]:
    """DKIM key files, in order, without their folder."""
    found = {
        match[3].rpartition("/")[2]
        for line in fileset.whole().splitlines()
        if (match := KEY.match(line.strip()))
    }
    return sorted(found)


def told(lacking: frozenset[Fact]) -> str:
    """Facts in a few words, for a sentence."""
    words = sorted({_WORDS[fact[0]].format(*fact) for fact in lacking})
    return ", ".join(words[:_SHOWN]) + (", …" if len(words) > _SHOWN else "")


_WORDS = {
    VIRTUAL_MTA: "VirtualMTA {1}",
    "virtual-mta-pool": "pool {1}",
    DOMAIN_KEY: "the key of {3}",
}
_SHOWN = 5
