"""Macros in the domains of an SPF record (RFC 7208 section 7). Pure."""

import ipaddress
import re
from typing import NamedTuple

from control.published.spfrecord import SpfSyntaxError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MACRO = re.compile(r"%(?:\{([slodiphv])([0-9]*)(r?)([.+,/_=-]*)\}|([%_-]))", re.I)
LONGEST = 253


class Sender(NamedTuple):
    """Who sends, as a receiver sees it."""

    ip: Address
    local: str
    domain: str
    helo: str


def expand(text: str, sender: Sender, current: str) -> str:
    """`text` for this sender; `current`: the domain whose record it is in. Raises
    SpfSyntaxError."""
    if "%" not in text:
        return text
    found, at = "", 0
    for match in _MACRO.finditer(text):
        found += _plain(text, at, match.start())
        at = match.end()
        if match[5]:
            found += {"%": "%", "_": " ", "-": "%20"}[match[5]]
        else:
            found += _part(_value(match[1].lower(), sender, current), match)
    found += _plain(text, at, len(text))
    # 7.3: labels go from the left until it is short enough.
    while len(found) > LONGEST and "." in found:
        found = found.partition(".")[2]
    return found


def _plain(text: str, start: int, end: int) -> str:
    if "%" in text[start:end]:
        raise SpfSyntaxError(f"{text!r} has a % that begins no macro")
    return text[start:end]


def _value(letter: str, sender: Sender, current: str) -> str:
    ip = sender.ip
    dotted = str(ip) if ip.version == 4 else ".".join(ip.exploded.replace(":", ""))
    return {
        "s": f"{sender.local}@{sender.domain}",
        "l": sender.local,
        "o": sender.domain,
        "d": current,
        "i": dotted,
        # 7.3: nobody should ask for it, and `unknown` is what one gets who does not look.
        "p": "unknown",
        "h": sender.helo,
        "v": "in-addr" if ip.version == 4 else "ip6",
    }[letter]


def _part(value: str, match: re.Match[str]) -> str:
    parts = re.split(f"[{re.escape(match[4] or '.')}]", value)
    if match[3]:
        parts.reverse()
    if match[2]:
        if not int(match[2]):
            raise SpfSyntaxError(f"{match[0]!r} keeps no part")
        parts = parts[-int(match[2]) :]
    return ".".join(parts)
