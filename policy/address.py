"""Mail addresses: their domains, and the mailbox a sender address names.

Owns: reading, normalising. Not here: the SMTP path syntax (`gateway.session.envelope`), the `From:`
field (`policy.author`).
Rule: local parts keep their case on the wire, but a mailbox's *identity* is lower case:
`Anna@` and `anna@` must not be warmed up twice.
Failure: what cannot be read is None, never a guess.
"""

import hashlib
import hmac
import ipaddress
import re
import unicodedata
from functools import lru_cache

import idna

_ASCII_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*\Z"
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_SPECIAL = re.compile(r'["\\]')
_DOT_ATOM = re.compile(r"[-.A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST = 254
"""Characters of an address (RFC 5321 section 4.5.3.1.3: octets of a path, its brackets among
them). Without a bound 8000 combining marks take NFC 260 ms, which sorts them by insertion."""
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_SPECIAL = re.compile(rb'["\\]')
# What the gateway takes without quotes (`gateway.session.envelope`): more than RFC 5322's dot-atom.
_UNQUOTED = re.compile(rb'[^\s<>"@,:;()\\\x00-\x1f\x7f]+\Z')


# Three times a message, and of few domains; an address has at most 254 octets where it is kept.
@lru_cache(maxsize=4096)
def normal_domain(domain: str) -> str | None:
    """Lower case with A-labels (IDNA 2008, UTS 46 mapping), or None when it is no domain name.

    Address literals (`[192.0.2.1]`) are returned as they are, in lower case."""
    lowered = domain.lower().rstrip(".")
    if _ASCII_DOMAIN.match(lowered):
        return lowered
    if lowered.startswith("[") and lowered.endswith("]"):
        return lowered
    if lowered.isascii():
        return None
    try:
        encoded = idna.encode(lowered, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
    return encoded if _ASCII_DOMAIN.match(encoded) else None


def hello_name(text: str) -> str | None:
    """What may be said in a greeting or in EHLO, normalised: a host name of letters, digits and
    hyphens (RFC 5321 section 4.1.2 has no underscore, and many receivers refuse one), or an address
    literal. An address without its brackets is None (section 4.1.3)."""
    name = normal_domain(text)
    if name is None or name.startswith("["):
        return name
    return None if "_" in name or is_numeric(name) else name


def is_numeric(host: str) -> bool:
    """Whether an IPv4 address is meant: what ends in a number (RFC 3696 section 2)."""
    return host.rpartition(".")[2].isdigit()


def normal_local(local: bytes) -> bytes:
    """A local part without the quotes it does not need: `"a"@x` is `a@x` (RFC 5321 section 4.1.2,
    RFC 5322 section 3.4.1). Case is kept."""
    if len(local) < 2 or local[:1] != b'"' or local[-1:] != b'"':
        return local
    plain = _PAIR.sub(rb"\1", local[1:-1])
    if _UNQUOTED.match(plain):
        return plain
    return b'"%b"' % _SPECIAL.sub(rb"\\\g<0>", plain)


def recipient_name(address: str) -> str:
    """The identity of a recipient: the local part as it is (it is its server's business: RFC 5321
    section 2.4) without the quotes it does not need, the domain in A-labels. What is no address is
    returned in lower case."""
    local, at, domain = address.rpartition("@")
    normal = normal_domain(domain) if at else None
    if normal is None:
        return address.lower()
    if local.startswith('"'):
        local = normal_local(local.encode("utf-8", "surrogateescape")).decode(
            "utf-8", "surrogateescape"
        )
    return f"{local}@{normal}"


def hashed(address: str, key: bytes) -> str:
    """`local@domain` with a keyed digest for the local part, the same for the same address."""
    local, _, domain = address.rpartition("@")
    digest = hmac.digest(key, local.encode(), hashlib.sha256).hex()[:12]
    return f"{digest}@{domain}"


def split_address(address: str) -> tuple[str, str] | None:
    """(local part, normal domain), or None when there is no local part or no readable domain."""
    local, at, domain = address.rpartition("@")
    if not at or not local:
        return None
    normal = normal_domain(domain)
    return None if normal is None else (local, normal)


def mailbox_of(address: str) -> str | None:
    """The identity of a sender address: `local@domain`, in lower case, with A-labels, without the
    quotes it does not need. None for what is no address."""
    local, at, domain = address.rpartition("@")
    if not at or not local:
        return None
    quoted = len(local) > 1 and local[0] == '"' == local[-1]
    name = mailbox_name(_QUOTED_PAIR.sub(r"\1", local[1:-1]) if quoted else local, quoted=quoted)
    spelt = sender_domain(domain)
    return None if name is None or spelt is None else f"{name}@{spelt}"


def mailbox_name(local: str, *, quoted: bool) -> str | None:
    """The local part of a mailbox's identity; `quoted`: it stood in quotes, which are gone. None
    for one that may not be (RFC 5322 section 3.2.3, RFC 6532 section 3.2), or that the eye takes
    for another: with blanks at its ends, or characters that are not seen; for one too long."""
    if len(local) > LONGEST:
        return None
    if local.isascii():
        lowered = local.lower()
    else:
        lowered = unicodedata.normalize("NFC", local).lower()
        lowered = unicodedata.normalize("NFC", lowered)
        # The blank is seen between quotes, and refused without them by what follows.
        if any(char != " " and unicodedata.category(char) in _UNSEEN for char in lowered):
            return None
    if _DOT_ATOM.match(lowered):
        return lowered
    if not quoted or not lowered or lowered.strip() != lowered or _CONTROL.search(lowered):
        return None
    return '"' + _QUOTED_SPECIAL.sub(r"\\\g<0>", lowered) + '"'


def sender_domain(domain: str) -> str | None:
    """As `normal_domain`, with address literals in one spelling each (RFC 5321 section 4.1.3)."""
    normal = normal_domain(domain)
    if normal is None or not normal.startswith("["):
        return normal
    try:
        if normal.startswith("[ipv6:"):
            return f"[ipv6:{ipaddress.IPv6Address(normal[6:-1])}]"
        return f"[{ipaddress.IPv4Address(normal[1:-1])}]"
    except ValueError:
        return None


def recipient_spellings(address: str) -> tuple[bytes, tuple[bytes, ...]] | None:
    """(local part with its `@`, the domain in A-labels and in U-labels): the octets by which a
    recipient is looked for. The local part is compared as it is, case included (RFC 5321 section
    2.4), the domain without case. None for what is no address."""
    parts = split_address(address)
    if parts is None:
        return None
    try:
        local = f"{parts[0]}@".encode()
    except UnicodeEncodeError:
        return None
    spelt = [parts[1]]
    if "xn--" in parts[1]:
        try:
            spelt.append(idna.decode(parts[1]))
        except (idna.IDNAError, UnicodeError):
            return local, (parts[1].encode(),)
    return local, tuple(domain.encode() for domain in spelt)
