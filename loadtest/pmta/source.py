"""``<source>``: what PowerMTA allows a feeder, by its address or by the listener's source name.

Source: PowerMTA 5.0 User's Guide, ``source``. Generic entries are inherited by specific ones, and
a named source adds to what the feeder's address already has.
"""

import ipaddress
from dataclasses import dataclass, field

from loadtest.pmta.argument import Network, network
from loadtest.pmta.grammar import Block, Place

YES = ("yes", "true")


@dataclass(frozen=True, slots=True)
class Source:
    """One ``<source>`` block: a network or a name, and the flags it sets."""

    at: Place
    name: str
    network: Network | None
    flags: dict[str, bool]
    default_virtual_mta: str = ""


@dataclass(slots=True)
class Rules:
    """What applies to one feeder once its sources are laid over each other."""

    smtp_service: bool = True
    always_allow_relaying: bool = False
    process_x_virtual_mta: bool = False
    retain_x_virtual_mta: bool = False
    allow_empty_x_virtual_mta: bool = False
    process_x_job: bool = False
    retain_x_job: bool = False
    process_x_envid: bool = False
    default_virtual_mta: str = field(default="", kw_only=True)


# Without a configuration, and for a fragment that holds VirtualMTAs only, the feeder is ours.
OURS = Rules(
    always_allow_relaying=True,
    process_x_virtual_mta=True,
    process_x_job=True,
    process_x_envid=True,
)


def source_of(block: Block) -> Source:
    """The source a ``<source>`` block describes."""
    flags = {
        d.name.replace("-", "_"): d.values[-1].lower() in YES
        for d in block.directives
        if d.name.replace("-", "_") in Rules.__dataclass_fields__
        and d.name != "default-virtual-mta"
    }
    default = [d.values[0] for d in block.all("default-virtual-mta")]
    where = network(block.argument)
    name = "" if where else block.argument.lower()
    return Source(block.at, name, where, flags, default[-1] if default else "")


def rules_for(sources: list[Source], peer: str, name: str) -> Rules:
    """The rules for a feeder at address `peer` on a listener whose source is `name` ("" = none).

    No sources at all: the rules of a feeder that is ours.
    """
    if not sources:
        return OURS
    address = ipaddress.ip_address(peer) if peer else None
    networks = [s for s in sources if s.network and address and address in s.network]
    networks.sort(key=lambda s: s.network.prefixlen if s.network else 0)
    rules = Rules()
    for source in networks + [s for s in sources if name and s.name == name.lower()]:
        for flag, value in source.flags.items():
            setattr(rules, flag, value)
        rules.default_virtual_mta = source.default_virtual_mta or rules.default_virtual_mta
    return rules
