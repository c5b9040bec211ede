"""What PowerMTA takes without a word and that breaks the promises: mail that reaches a warming IP
past the gateways, and doors that stand open. Pure.

Source: PowerMTA v5.0 User's Guide, 3.3.1 (global), 3.3.7 (source), 3.3.10 (domain), 3.3.12
(virtual-mta), 3.3.14 (pattern-list).
"""

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from control.pmta.grammar.node import Block, File, Line, Place, flat
from control.pmta.grammar.printing import headline
from policy.provider import OTHER, PROVIDERS, domains_of, hosts_of

_NAMED = {
    "reroute-to-virtual-mta": "other mail is rerouted to it",
    "backoff-reroute-to-virtual-mta": "what backs off elsewhere is rerouted to it",
    "cold-virtual-mta": "PowerMTA's own warm-up diverts other mail to it",
    "default-virtual-mta": "mail that names no VirtualMTA goes by it",
    "invalid-virtual-mta-fallback": "mail that names an unknown VirtualMTA goes by it",
}
"""Directives that name a VirtualMTA or pool which other mail then goes by."""
_CHOSEN = re.compile(r"virtual-mta=([^\s,]+)")
_YES = ("yes", "true")


class Warned(NamedTuple):
    """One line, and what it does to whom."""

    place: Place
    text: str
    why: str


class Warming(NamedTuple):
    """What no mail may reach but by the gateways."""

    names: frozenset[str]
    """VirtualMTAs that warm up, and pools that have one; lower case."""
    ips: frozenset[str]


def warming_of(names: Iterable[str], ips: Iterable[str]) -> Warming:
    """Of VirtualMTAs and pools in any case of letters, and IPs."""
    return Warming(frozenset(name.lower() for name in names), frozenset(ips))


def warnings(files: Sequence[File], warming: Warming, *, rollups: bool = True) -> list[Warned]:
    """Of whole configurations, in the order in which PowerMTA reads them. `rollups`: Sendgate rolls
    domains up by their providers (control.pmta_rollups)."""
    nodes = tuple(node for file in files for node in flat(file.inside))
    relays = {
        node.argument.lower()
        for node in nodes
        if isinstance(node, Block) and node.tag == "source" and _says(node, "always-allow-relaying")
    }
    found = [found for node in nodes for found in _of(node, warming, relays)]
    return found + [one for node in nodes for one in _rolled_up(node)] if rollups else found


def _rolled_up(node: Line | Block) -> Iterator[Warned]:
    """`<domain …>` of a domain whose mail waits in its provider's queue."""
    if not isinstance(node, Block):
        return
    name = node.argument.strip('"').lower()
    if node.tag == "domain" and (queue := _queues().get(name)):
        why = f"without effect: the queue of {name} is {queue}; write <domain {queue}>"
        yield Warned(node.place, headline(node), why)
    for inner in flat(node.inside):
        yield from _rolled_up(inner)


@cache
def _queues() -> dict[str, str]:
    """Domain to roll-up, of the providers that have one."""
    return {
        domain: f"{name}.rollup"
        for name in PROVIDERS
        if name != OTHER and hosts_of(name)
        for domain in domains_of(name)
    }


def _of(node: Line | Block, warming: Warming, relays: Collection[str]) -> Iterator[Warned]:
    if isinstance(node, Line):
        yield from _global(node, relays)
        yield from _named(node, warming)
        return
    if node.tag == "source":
        yield from _source(node)
    if node.tag == "virtual-mta":
        yield from _virtual_mta(node, warming)
    if node.tag == "mx-rollup-list":
        why = "PowerMTA takes one, and Sendgate writes one unless control.pmta_rollups is false"
        yield Warned(node.place, headline(node), why)
    for line in _lines(node):
        yield from _named(line, warming)


def _named(line: Line, warming: Warming) -> Iterator[Warned]:
    found = {line.argument.strip('"').lower()} if line.name in _NAMED else set()
    why = _NAMED.get(line.name, "a pattern list chooses it")
    if line.name not in _NAMED:
        found = {name.strip('"').lower() for name in _CHOSEN.findall(line.argument)}
    for name in sorted(found & warming.names):
        yield Warned(line.place, headline(line), f"{name} warms up, and {why}, past the gateways")


def _global(line: Line, relays: Collection[str]) -> Iterator[Warned]:
    words = line.argument.split()
    if line.name == "http-access" and len(words) > 1 and _everybody(words[0]):
        if not words[1].lower().startswith("none"):
            why = f"whoever reaches the web monitor is {words[1]}: name your own networks"
            yield Warned(line.place, headline(line), why)
    elif line.name == "smtp-listener":
        name = next((w.partition("=")[2].lower() for w in words if w.startswith("source=")), "")
        if name in relays:
            why = f"an open relay for whoever reaches it: {name} has always-allow-relaying"
            yield Warned(line.place, headline(line), why)


def _source(block: Block) -> Iterator[Warned]:
    relays = _says(block, "always-allow-relaying")
    if _everybody(block.argument) and relays:
        yield Warned(block.place, headline(block), "an open relay: everybody may send by it")
    elif _everybody(block.argument) and _says(block, "always-allow-api-submission"):
        yield Warned(block.place, headline(block), "everybody may submit mail by the API")
    elif relays and _says(block, "process-x-virtual-mta"):
        why = "mail from here may name a VirtualMTA that warms up, past the gateways"
        yield Warned(block.place, headline(block), why)


def _virtual_mta(block: Block, warming: Warming) -> Iterator[Warned]:
    ours = block.argument.lower() in warming.names
    cold = False
    for node in flat(block.inside):
        if isinstance(node, Line) and node.name == "smtp-source-host" and not ours:
            ip = node.argument.split(maxsplit=1)[0]
            if ip in warming.ips:
                why = f"{ip} warms up in another VirtualMTA: mail by this one is past the gateways"
                yield Warned(node.place, headline(node), why)
        elif isinstance(node, Line) and node.name == "cold-virtual-mta" and ours:
            cold = True
            why = "mail granted for this IP leaves from another, where nothing counts it before"
            yield Warned(node.place, headline(node), why)
    for line in _lines(block):
        if line.name == "max-cold-virtual-mta-msg" and not cold:
            why = "no cap: it does nothing without cold-virtual-mta, and with it sends elsewhere"
            yield Warned(line.place, headline(line), why)


def _lines(block: Block) -> Iterator[Line]:
    """Inside of it, at any depth."""
    for node in flat(block.inside):
        if isinstance(node, Block):
            yield from _lines(node)
        else:
            yield node


def _says(block: Block, name: str) -> bool:
    """The last of a directive counts."""
    said = [
        node.argument.lower()
        for node in flat(block.inside)
        if isinstance(node, Line) and node.name == name
    ]
    return bool(said) and said[-1] in _YES


def _everybody(text: str) -> bool:
    if re.fullmatch(r"0(?:\.0){0,3}/0", text):
        return True
    try:
        return ipaddress.ip_network(text, strict=False).prefixlen == 0
    except ValueError:
        return False
