"""IP addresses."""

import ipaddress
from typing import Annotated

import msgspec

from control.problem import bad, quoted

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_PAIR = "[0-9A-Fa-f]{1,4}"
_LAST = f"(?:{_PAIR}:{_PAIR}|{IPV4})"
IPV6 = "|".join(
    (
        f"(?:{_PAIR}:){{6}}{_LAST}",
        *(f"(?:(?:{_PAIR}:){{0,{n}}}{_PAIR})?::(?:{_PAIR}:){{{4 - n}}}{_LAST}" for n in range(5)),
        f"::(?:{_PAIR}:){{5}}{_LAST}",
        f"(?:(?:{_PAIR}:){{0,5}}{_PAIR})?::{_PAIR}",
        f"(?:(?:{_PAIR}:){{0,6}}{_PAIR})?::",
    )
)
"""RFC 3986 section 3.2.2."""

IpText = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "minLength": 2,
            "maxLength": 45,
            "pattern": f"^(?:{IPV4}|{IPV6})$",
            "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
        }
    ),
]

_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


def normal_ip(text: str, field: str = "ip") -> str:
    """The usual spelling of an IP. Raises RefusedError."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise bad(field, f"{quoted(text)} is not an IP address") from error
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise bad(field, f"{quoted(text)} names an interface; leave out what follows the %")
    return str(address)


def unusable(text: str) -> str | None:
    """Why no host has this IP for others to meet; None: it may have. Private and documentation
    addresses may: behind NAT and in tests they are what there is."""
    ip = ipaddress.ip_address(text)
    wrong = {
        "reserved": ip.is_reserved,
        "of “this network” (RFC 1122 3.2.1.3)": ip in _THIS_NETWORK,
        "unspecified": ip.is_unspecified,
        "multicast": ip.is_multicast,
        "a loopback address": ip.is_loopback,
        "link-local": ip.is_link_local,
        "the broadcast address": text == "255.255.255.255",
        "an IPv4 address written as IPv6": ip.version == 6 and ip.ipv4_mapped is not None,
    }
    found = [why for why, holds in wrong.items() if holds]
    return found[-1] if found else None


def sending_ip(text: str, field: str = "ip") -> str:
    """An IP that mail can be sent from, in its usual spelling. Raises RefusedError."""
    ip = normal_ip(text, field)
    if (why := unusable(ip)) is not None:
        raise bad(field, f"{ip} is {why}: nothing can be sent from it; give a source address")
    return ip
