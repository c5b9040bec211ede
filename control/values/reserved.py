"""IPs and domains that others on the Internet can meet, told from those of tests and of one's own
house: of these nobody else knows anything."""

import ipaddress
from collections.abc import Iterable

_RESERVED = ("test", "example", "invalid", "localhost", "example.com", "example.net", "example.org")
"""Names that nobody has (RFC 2606, RFC 6761)."""


def public(ips: Iterable[str]) -> list[str]:
    """Those that others can meet."""
    return [ip for ip in ips if ipaddress.ip_address(ip).is_global]


def registered(domains: Iterable[str]) -> list[str]:
    """Those that are somebody's."""
    ends = tuple(f".{name}" for name in _RESERVED)
    return [name for name in domains if not f".{name}".endswith(ends)]
