"""Host names and domains."""

import ipaddress
from typing import Annotated

import msgspec

from control.problem import bad, quoted
from control.values.ip import IPV4, IPV6
from policy.address import hello_name, is_numeric, normal_domain

_FOREIGN = {"format": "idn-hostname", "pattern": r"[^\u0000-\u007f]"}
"""A name with other than ASCII: whether IDNA knows it no pattern can say."""
FOREIGN_DOMAIN = {
    "format": "idn-hostname",
    "pattern": r"^(?=.*[^\u0000-\u007f])[^@]+\.(?![0-9]+\.*$)[^@.]+\.*$",
}


def _name(label: str, more: str) -> str:
    """A pattern of ASCII names of so many labels; one that ends in a number means an address."""
    return rf"(?=.{{1,253}}\.*$)(?:{label}\.){more}(?![0-9]+\.*$){label}\.*$"


LABEL = "[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
DOMAIN = _name(LABEL, "+")

DomainText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=255,
        extra_json_schema={"anyOf": [{"pattern": f"^{DOMAIN}"}, FOREIGN_DOMAIN]},
    ),
]
GreetingText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=255,
        extra_json_schema={
            "anyOf": [{"pattern": f"^{_name(LABEL.replace('_', ''), '+')}"}, FOREIGN_DOMAIN]
        },
    ),
]
"""A host name that may be said in EHLO."""
HostText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=255,
        extra_json_schema={
            "anyOf": [
                {"pattern": rf"^(?:{IPV4}|(?:{IPV6})(?:%[^\s%/\u0000-\u001f\u007f]+)?)$"},
                {"pattern": f"^{_name(LABEL, '*')}"},
                _FOREIGN,
            ]
        },
    ),
]
"""A host name or an IP."""


def domain_name(field: str, text: str) -> str:
    """A domain of two labels or more, in lower case with A-labels. Raises RefusedError."""
    domain = normal_domain(text)
    if domain is None or domain.startswith("[") or "." not in domain or is_numeric(domain):
        raise bad(field, f"{quoted(text)} is not a domain name such as example.com")
    return domain


def greeting_name(field: str, text: str) -> str:
    """A host name that may be said in EHLO: letters, digits and hyphens (RFC 5321 4.1.2, where a
    domain has no underscore; many receivers refuse one). Raises RefusedError."""
    host = normal_domain(text)
    if host is None or host.startswith("[") or "." not in host or is_numeric(host):
        raise bad(field, f"{quoted(text)} is not a host name such as mta1.example.com")
    if hello_name(host) is None:
        raise bad(
            field, f"{quoted(text)}: a host that says EHLO has letters, digits and hyphens only"
        )
    return host


def reachable_host(field: str, text: str) -> str:
    """A host to connect to: an IP, or a name of any length that a resolver may know (RFC 1034).
    Raises RefusedError."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        host = normal_domain(text)
        if host is None or host.startswith("["):
            raise bad(field, f"{quoted(text)} is neither a host name nor an IP address") from None
        if is_numeric(host):
            raise bad(field, f"{quoted(text)} is not an IP address") from None
        return host
    if ip.is_unspecified or ip.is_multicast or text == "255.255.255.255":
        raise bad(field, f"{text} is no address of a host")
    return text
