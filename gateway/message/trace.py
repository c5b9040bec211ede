"""A `Received:` field of our own (RFC 5321 section 4.4), for the tenants that get one.

Owns: its words. Not here: who gets one (`gateway.session.inbound`), how many are too many
(`gateway.delivery.transaction`).
Rule: recipients read it, so where the client's name and address stand in it only if they were asked
for; section 4.4 demands a FROM clause, which says `unknown` without them.
"""

import re
from email.utils import formatdate

_DOMAIN = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\Z")
_LITERAL = re.compile(r"\[[A-Za-z0-9.:-]{1,64}\]\Z")

_EXTENDED = {
    (False, False): "ESMTP",
    (True, False): "ESMTPS",
    (False, True): "ESMTPA",
    (True, True): "ESMTPSA",
}


def transmission(*, extended: bool, secured: bool, login: bool) -> str:
    """The word after WITH, of a message in ASCII (RFC 3848)."""
    return _EXTENDED[secured, login] if extended else "SMTP"


def received(
    *, client: str, hostname: str, transmission: str, utf8: bool, message: str, at: float
) -> bytes:
    """`client`: as `client_name` has it, or empty; `at`: Unix seconds."""
    if utf8:  # RFC 6531 section 4.3
        transmission = "UTF8" + transmission.removeprefix("E")
    return (
        f"Received: from {client or 'unknown'}\r\n"
        f"\tby {hostname} with {transmission} id {message};\r\n"
        f"\t{formatdate(at)}\r\n"
    ).encode("ascii", "replace")


def client_name(hello: str, peer: str) -> str:
    """How it named itself, if that can be a name, and its address."""
    name = hello if _DOMAIN.match(hello) or _LITERAL.match(hello) else "unknown"
    if not peer or "/" in peer:
        return name
    literal = f"IPv6:{peer}" if ":" in peer else peer
    return f"{name} ([{literal}])"
