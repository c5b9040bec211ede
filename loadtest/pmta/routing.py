"""Which VirtualMTA sends a message: the name it asked for, resolved by the loaded configuration."""

from typing import NamedTuple

from loadtest.pmta.config import NO_ADDRESS, Config, VirtualMta
from loadtest.pmta.source import Rules, rules_for

DEFAULT = "{default}"


class Route(NamedTuple):
    """The VirtualMTA chosen, the pool it came from ("" = none) and the source address."""

    virtual_mta: VirtualMta
    pool: str
    source_ip: str


class Routing:
    """One loaded configuration in use; a reload makes a new one, so turns start again."""

    def __init__(self, config: Config, source_name: str = "") -> None:
        self.config = config
        self._source_name = source_name
        self._rules: dict[str, Rules] = {}
        self._turns: dict[str, int] = {}
        self._default = VirtualMta(DEFAULT, config.addresses)
        self._seen: dict[str, VirtualMta] = {DEFAULT: self._default, **config.virtual_mtas}

    def rules(self, peer: str) -> Rules:
        """What the feeder at address `peer` may do."""
        rules = self._rules.get(peer)
        if rules is None:
            rules = rules_for(self.config.sources, peer, self._source_name)
            self._rules[peer] = rules
        return rules

    def route(self, name: str) -> Route | None:
        """The route for VirtualMTA or pool `name` ("" = the default); None when it is unknown.

        Pools, and VirtualMTAs with several addresses, take turns: plain round robin (guide,
        ``virtual-mta-pool``).
        """
        key = name.lower() or DEFAULT
        if pool := self.config.pools.get(key):
            member = pool.members[self._turn("pool " + key) % len(pool.members)]
            return Route(member, pool.name, self._address(member))
        found = self._seen.get(key)
        if found is None:
            if not self.config.open_names:
                return None
            found = self._seen[key] = VirtualMta(name)
        return Route(found, "", self._address(found))

    def exists(self, name: str) -> bool:
        """Whether VirtualMTA `name` can still send."""
        return self.config.open_names or name.lower() in self._seen

    def names(self) -> list[str]:
        """Every VirtualMTA known, sorted, the default left out."""
        return sorted(v.name for key, v in self._seen.items() if key != DEFAULT)

    def discards(self, virtual_mta: VirtualMta, domain: str) -> bool:
        """Whether mail of `virtual_mta` for `domain` ends in ``type discard``."""
        return _covers(virtual_mta.discards, domain) or _covers(self.config.discards, domain)

    def _address(self, virtual_mta: VirtualMta) -> str:
        addresses = virtual_mta.addresses
        if len(addresses) == 1:
            return addresses[0]
        return addresses[self._turn(virtual_mta.name) % len(addresses)] if addresses else NO_ADDRESS

    def _turn(self, key: str) -> int:
        turn = self._turns.get(key, 0)
        self._turns[key] = turn + 1
        return turn


def _covers(patterns: frozenset[str], domain: str) -> bool:
    if not patterns:
        return False
    if domain in patterns or "*" in patterns:
        return True
    labels = domain.split(".")
    return any("*." + ".".join(labels[i:]) in patterns for i in range(1, len(labels)))
