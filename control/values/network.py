"""Networks that name a tenant."""

import ipaddress
from typing import Annotated

import msgspec

from control.problem import bad
from policy.node import network

NetworkText = Annotated[
    str,
    msgspec.Meta(
        extra_json_schema={
            "minLength": 3,
            "maxLength": 49,
            "pattern": r"^[0-9A-Fa-f:.]+(/\d{1,3})?$",
        }
    ),
]
"""CIDR."""

WIDE = {4: 8, 6: 32}
"""Bits below which a network is wider than what one customer has: a /8 was the largest block given
to anybody, a /32 is what a provider gets."""


def source_network(text: str, field: str = "networks") -> str:
    """A network in its usual spelling. Raises RefusedError, with the network an address with
    host bits belongs to."""
    try:
        return str(network(text))
    except ValueError as error:
        try:
            meant = network(text, strict=False)
        except ValueError:
            raise bad(field, f"{text!r} is not a network such as 10.0.0.0/8") from error
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
