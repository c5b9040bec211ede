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
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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
    found: list[Line] = [(f"{reverse(ip)}.{name}", "A", _LISTED) for ip in ips]
    return [*found, (name, "TXT", f"v=spf1 exists:%{{ir}}.%{{v}}.{name} -all")]


def reverse(ip: str) -> str:
    """An address in normal form as it stands below `arpa` (RFC 1035 3.5, RFC 3596 2.5)."""
    if ":" in ip:
        return ipaddress.ip_address(ip).reverse_pointer.removesuffix(".arpa")
    # `ipaddress` takes twenty times as long, and a pool may have thousands.
    return f"{'.'.join(reversed(ip.split('.')))}.in-addr"


# A change asks for those of the pool as it was and as it is, a check of DNS again.
@lru_cache(maxsize=256)
def _parts(ips: tuple[str, ...]) -> list[str]:
    """The texts of the parts, of which each but the last is full; empty where they are too many."""
    parts: list[str] = []
    part = _Part()
    for address in map(ipaddress.ip_address, ips):
        if not part.take(address):
            parts.append(part.text())
            if len(parts) == PARTS:
                return []
            part = _Part()
            part.take(address)
    return [*parts, part.text()]


class _Block(NamedTuple):
    """Addresses as one term. Of whole numbers: networks of `ipaddress` take ten times as long."""

    version: int
    start: int
    bits: int
    """Of the address that the term leaves open."""

    def twice(self) -> "_Block":
        """What it makes with its neighbour."""
        return _Block(self.version, self.start & ~(1 << self.bits), self.bits + 1)

    def neighbour(self) -> "_Block":
        """The other half of `twice`."""
        return _Block(self.version, self.start ^ (1 << self.bits), self.bits)

    def term(self) -> str:
        """As SPF has it (RFC 7208 5.6)."""
        kind, width = _KINDS[self.version]
        size = f"/{width - self.bits}" if self.bits else ""
        return f"ip{self.version}:{kind(self.start)}{size}"


_KINDS: dict[int, tuple[type[Address], int]] = {
    4: (ipaddress.IPv4Address, 32),
    6: (ipaddress.IPv6Address, 128),
}


class _Part:
    """Addresses, neighbours as one network; nothing else is covered. What one more costs does not
    grow with those that are there."""

    def __init__(self) -> None:
        self._addresses: set[_Block] = set()
        self._merged: dict[_Block, int] = {}
        """Each with the octets of its term and the blank before it."""
        self._length = len(_text([]))

    def take(self, address: Address) -> bool:
        """False: it has no room for it, and stays as it was."""
        one = whole = _Block(address.version, int(address), 0)
        if one in self._addresses:
            return True
        length = self._length
        gone = []
        while (other := whole.neighbour()) in self._merged:
            gone.append(other)
            length -= self._merged[other]
            whole = whole.twice()
        octets = len(whole.term()) + 1
        length += octets
        if self._addresses and length > LONGEST:
            return False
        for other in gone:
            del self._merged[other]
        self._merged[whole] = octets
        self._addresses.add(one)
        self._length = length
        return True

    def text(self) -> str:
        """Each address by itself where that fits: it is easier to look up."""
        plain = _text([one.term() for one in sorted(self._addresses)])
        if len(plain) <= LONGEST:
            return plain
        return _text([block.term() for block in sorted(self._merged)])


def _text(terms: list[str]) -> str:
    return " ".join(["v=spf1", *terms, "-all"])
