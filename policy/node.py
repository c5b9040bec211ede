"""Nodes and networks by their addresses (RFC 4291).

Owns: when two addresses are one node. Rule: `::ffff:a.b.c.d` is the IPv4 node a.b.c.d (section
2.5.5.2): a socket that listens on `::` names its IPv4 clients so, and some balancers theirs. It
lies in IPv4 networks, in no IPv6 one, and is logged as IPv4; the same holds for networks.
"""

import ipaddress

Node = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = 96
"""Bits in front of the IPv4 address."""


def node(text: str) -> Node:
    """Raises ValueError."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def node_name(peer: str) -> str:
    """How the node is written; what is no address (the path of a socket) stays as it is."""
    if ":" not in peer:  # IPv4, nearly always
        return peer
    try:
        return str(node(peer))
    except ValueError:
        return peer


def network(text: str, *, strict: bool = True) -> Network:
    """`strict`: no host bits may be set. Raises ValueError."""
    found = ipaddress.ip_network(text, strict=strict)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= _MAPPED:
        first = found.network_address.ipv4_mapped
        if first is not None:
            return ipaddress.IPv4Network((first, found.prefixlen - _MAPPED))
    return found


def within(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address, as text, lies in one of the networks."""
    try:
        address = node(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)
