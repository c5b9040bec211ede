"""Networks that name a tenant."""

import ipaddress
import re
from typing import Annotated

import msgspec

from control.problem import bad, quoted
from control.values.ip import IPV4, IPV6
from policy.node import network

_CIDR = f"(?:{IPV4})(?:/(?:3[0-2]|[12]?[0-9]))?|(?:{IPV6})(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"

NetworkText = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "minLength": 3,
            "maxLength": 49,
            "pattern": f"^(?:{_CIDR})$",
        }
    ),
]
"""CIDR."""

WIDE = {4: 8, 6: 32}
"""Bits below which a network is wider than what one customer has: a /8 was the largest block given
to anybody, a /32 is what a provider gets."""


def source_network(text: str, field: str = "networks") -> str:
    """A network in its usual spelling. Raises RefusedError, with the network an address with
    host bits belongs to, and for what `ipaddress` would take besides: a netmask after the slash, an
    interface, which PostgreSQL does not know."""
    if not re.fullmatch(_CIDR, text):
        raise bad(field, f"{quoted(text)} is not a network such as 10.0.0.0/8")
    try:
        return str(network(text))
    except ValueError as error:
        try:
            meant = network(text, strict=False)
        except ValueError:
            raise bad(field, f"{quoted(text)} is not a network such as 10.0.0.0/8") from error
        raise bad(field, f"{text} has host bits set; the network is {meant}") from error


def warning(text: str, tenant: str) -> str | None:
    """What to say of a network that lets in more than anybody has, else None."""
    found = ipaddress.ip_network(text)
    if found.prefixlen == 0:
        return (
            f"network {text} is every IPv{found.version} address there is: whoever reaches a "
            f"listener sends as tenant {tenant}, without a password"
        )
    if found.prefixlen < WIDE[found.version]:
        return (
            f"network {text} is wider than any customer's: whoever is in it sends as tenant "
            f"{tenant}, without a password"
        )
    return None
