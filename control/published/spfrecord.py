"""An SPF record, read by the grammar of RFC 7208 section 12. Pure."""

import ipaddress
import re
from typing import Literal, NamedTuple, cast

Mechanism = Literal["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DIRECTIVE = re.compile(
    r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?![A-Za-z0-9_.-])(.*)\Z", re.I
)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)\Z")
_CIDR = re.compile(r"(.*?)(?:/([0-9]{1,2}))?(?://([0-9]{1,3}))?\Z")
_NAMES = frozenset({"include", "exists"})
"""Mechanisms that need a domain."""
RESULTS: dict[str, Literal["pass", "fail", "softfail", "neutral"]] = {
    "": "pass",
    "+": "pass",
    "-": "fail",
    "~": "softfail",
    "?": "neutral",
}


class SpfSyntaxError(ValueError):
    """The text is no SPF record; every receiver gives up at it (permerror)."""


class Directive(NamedTuple):
    """One mechanism with its qualifier."""

    result: Literal["pass", "fail", "softfail", "neutral"]
    kind: Mechanism
    domain: str = ""
    """With macros; empty: the domain that is looked at."""
    network: Network | None = None
    """Of ip4 and ip6."""
    cidr4: int = 32
    cidr6: int = 128


class SpfRecord(NamedTuple):
    """In order."""

    directives: tuple[Directive, ...]
    redirect: str = ""


def is_spf(text: str) -> bool:
    """Whether a TXT record is one of SPF (RFC 7208 4.5)."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parse(text: str) -> SpfRecord:
    """Raises SpfSyntaxError, which names the term."""
    directives: list[Directive] = []
    modifiers: dict[str, str] = {}
    for term in text.split(" ")[1:]:
        if not term:
            continue
        if modifier := _MODIFIER.match(term):
            name = modifier[1].lower()
            if name in ("redirect", "exp") and (name in modifiers or not modifier[2]):
                raise SpfSyntaxError(f"{term!r}: one {name}= with a domain is allowed")
            modifiers[name] = modifier[2]
            continue
        directives.append(_directive(term))
    redirect = "" if any(d.kind == "all" for d in directives) else modifiers.get("redirect", "")
    return SpfRecord(tuple(directives), redirect)


def _directive(term: str) -> Directive:
    match = _DIRECTIVE.match(term)
    if match is None:
        raise SpfSyntaxError(f"{term!r} is nothing that SPF knows")
    result, kind, rest = RESULTS[match[1]], cast("Mechanism", match[2].lower()), match[3]
    if kind == "all":
        if rest:
            raise SpfSyntaxError(f"{term!r}: nothing follows `all`")
        return Directive(result, kind)
    if kind in ("ip4", "ip6"):
        return Directive(result, kind, network=_network(term, kind, rest))
    value, cidr4, cidr6 = _parted(term, kind, rest)
    return Directive(result, kind, value, None, cidr4, cidr6)


def _network(term: str, kind: str, rest: str) -> Network:
    try:
        found = ipaddress.ip_network(rest.removeprefix(":"), strict=False)
    except ValueError as error:
        raise SpfSyntaxError(f"{term!r}: {error}") from error
    if not rest.startswith(":") or f"ip{found.version}" != kind or "%" in rest:
        raise SpfSyntaxError(f"{term!r} is no address or network of {kind}")
    return found


def _parted(term: str, kind: str, rest: str) -> tuple[str, int, int]:
    """Domain and the lengths of both prefixes."""
    if kind not in ("a", "mx"):
        domain, cidr = rest, (32, 128)
    else:
        match = _CIDR.match(rest)
        assert match is not None
        domain = match[1]
        cidr = (int(match[2] or 32), int(match[3] or 128))
    if (domain and not domain.startswith(":")) or domain == ":" or "/" in domain.split("%{")[0]:
        raise SpfSyntaxError(f"{term!r}: a domain follows behind a colon")
    if kind in _NAMES and not domain:
        raise SpfSyntaxError(f"{term!r} needs a domain")
    if cidr[0] > 32 or cidr[1] > 128:
        raise SpfSyntaxError(f"{term!r}: a prefix has at most 32 bits, or 128")
    return domain.removeprefix(":"), *cidr
