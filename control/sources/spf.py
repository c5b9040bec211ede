"""SPF for the IPs of a pool, in records that every receiver can use. Pure.

Owns: how IPs are divided among records. Not here: which IPs those are, the domain's other records.
Rules: a record has at most 450 octets, so that its answer fits one of 512 (RFC 7208 3.4). A domain
costs its receiver at most eight of the ten look-ups it has (4.6.4); two are left for a second
sender. One record lists the pool while it fits there; then parts do, included by it; and when
those are too many, each IP has a record of its own, and one look-up finds it (`exists` with the
client's IP in the name, 5.7 and 7.2).
An IP that was added changes the last part only: none moves from one part to another, for a
receiver that has one of the two from before would find it in neither.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST = 450
"""Octets of a record's value."""
PARTS = 7
"""Parts a pool may have: with the include that leads to them, eight look-ups."""
LABEL = 63
"""Octets of a label (RFC 1035 2.3.4)."""
LONGEST_DOMAIN = 160
"""Octets of a domain under which every name made here has at most 253: the longest is that of an
IPv6 address (63, and `ip6`) under the name of a pool."""

_LISTED = "127.0.0.2"
"""What an `exists` finds; any A record will do (RFC 7208 5.7)."""

Line = tuple[str, str, str]
"""(name, type, value)."""


def name_of(pool: str, domain: str) -> str:
    """Where the SPF record of a pool stands, below its first domain. A pool whose name makes no
    label, or a name too long, is there under its digest."""
    label = f"_spf-{pool}".lower()
    if len(label) > LABEL or not all(label.split(".")):
        label = f"_spf-{sha256(pool.lower().encode()).hexdigest()[:16]}"
    return f"{label}.{domain}"


def lines(name: str, ips: Sequence[str]) -> list[Line]:
    """The records that make `include:name` pass for `ips` (as they were added to the pool, the
    newest last) and for nothing else; in the order in which they are to be published."""
    if not ips:
        return [(name, "TXT", "v=spf1 -all")]
    parts = _parts(tuple(ips))
    if len(parts) == 1:
        return [(name, "TXT", parts[0])]
    names = [f"{number}.{name}" for number in range(1, len(parts) + 1)]
    root = f"v=spf1 {' '.join(f'include:{part}' for part in names)} -all"
    if parts and len(root) <= LONGEST:
        return [(n, "TXT", text) for n, text in zip(names, parts, strict=True)] + [
            (name, "TXT", root)
        ]
    reverse = (ipaddress.ip_address(ip).reverse_pointer.removesuffix(".arpa") for ip in ips)
    found: list[Line] = [(f"{one}.{name}", "A", _LISTED) for one in reverse]
    return [*found, (name, "TXT", f"v=spf1 exists:%{{ir}}.%{{v}}.{name} -all")]


# Every domain of a pool has the same.
@lru_cache(maxsize=256)
def _parts(ips: tuple[str, ...]) -> list[str]:
    """The texts of the parts, of which each but the last is full; empty where they are too many."""
    parts: list[str] = []
    addresses: list[Address] = []
    merged: list[_Network] = []
    for address in map(ipaddress.ip_address, ips):
        more = _merged(merged, address)
        if addresses and len(_text(_terms(more))) > LONGEST:
            parts.append(_shown(addresses, merged))
            if len(parts) == PARTS:
                return []
            addresses, more = [], [ipaddress.ip_network(address)]
        addresses.append(address)
        merged = more
    return [*parts, _shown(addresses, merged)]


def _merged(networks: list[_Network], address: Address) -> list[_Network]:
    """`networks` with one more address, neighbours as one. Nothing else is covered."""
    found: list[_Network] = []
    for version in (4, 6):
        of = [n for n in networks if n.version == version]
        if address.version == version:
            of = list(ipaddress.collapse_addresses([*of, ipaddress.ip_network(address)]))  # type: ignore[type-var]
        found += of
    return found


def _shown(addresses: list[Address], merged: list[_Network]) -> str:
    """Each address by itself where that fits: it is easier to look up."""
    plain = _text([f"ip{a.version}:{a}" for a in sorted(addresses, key=lambda a: (a.version, a))])
    return plain if len(plain) <= LONGEST else _text(_terms(merged))


def _terms(networks: list[_Network]) -> list[str]:
    return [
        f"ip{n.version}:{n.network_address if n.prefixlen == n.max_prefixlen else n}"
        for n in networks
    ]


def _text(terms: list[str]) -> str:
    return f"v=spf1 {' '.join(terms)} -all"
