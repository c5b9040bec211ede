"""What a blocklist's answer means (RFC 5782). Pure.

Rule: *listed* is only what a list says in its own words: an address in 127.0.0.0/8 that is no error
code. *Clean* is only that there is no such name. All else is not known: silence, SERVFAIL, REFUSED,
127.255.255.x (Spamhaus: a wrong name, a public resolver, too many questions), 127.0.0.1 (which
section 2.1 keeps free, and URIBL and others answer those whom they refuse with), and an address
elsewhere, which a resolver makes up for names that are not there.
"""

import ipaddress
from typing import Literal

import msgspec

from control.blocklists.zone import Zone
from control.published.asking import Answer

State = Literal["listed", "clean", "unknown"]

_ERRORS = ipaddress.ip_network("127.255.255.0/24")
_CODES = ipaddress.ip_network("127.0.0.0/8")
_REFUSED = "127.0.0.1"

LONGEST = 500
"""Characters kept of what a list says in a TXT record."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Of one name at one list."""

    state: State
    codes: tuple[str, ...] = ()
    """The addresses it answered with, in order."""
    why: str = ""
    """Of `listed`: what the codes mean; of `unknown`: what was answered instead."""


def question(zone: Zone, subject: str) -> str:
    """The name under which `zone` has an IP or a domain."""
    if zone.kind == "domain":
        return f"{subject}.{zone.name}"
    address = ipaddress.ip_address(subject)
    parts = subject.split(".") if address.version == 4 else list(address.exploded.replace(":", ""))
    return ".".join([*reversed(parts), zone.name])


def judge(zone: Zone, answer: Answer) -> Verdict:
    """Of an answer to a question for A records."""
    if answer.state == "unknown":
        return Verdict(state="unknown", why=answer.why)
    if answer.absent:
        return Verdict(state="clean")
    codes = tuple(sorted(answer.values, key=lambda code: int(ipaddress.ip_address(code))))
    for code in codes:
        if why := _no_listing(zone, code):
            return Verdict(state="unknown", codes=codes, why=why)
    meant = [zone.codes[code] for code in codes if code in zone.codes]
    return Verdict(state="listed", codes=codes, why="; ".join(meant))


def _no_listing(zone: Zone, code: str) -> str:
    """Why an answer is none; empty: it is one."""
    address = ipaddress.ip_address(code)
    if address not in _CODES:
        return f"{code} is no answer of a blocklist: the resolver answers for names that are not"
    if address in _ERRORS or code == _REFUSED or code in zone.errors:
        return f"{code}: {zone.name} does not answer this resolver"
    return ""


def points(zone: Zone) -> tuple[str, str]:
    """What a list must have, and what it must not have (RFC 5782 section 5)."""
    if zone.kind == "domain":
        return zone.test or "test", "invalid"
    return "127.0.0.2", "127.0.0.1"
