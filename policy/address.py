"""Mail addresses: the domain of a recipient, and the mailbox a `From:` field names.

Owns: reading, normalising. Not here: the SMTP path syntax (`gateway.envelope`).
Rule: local parts keep their case on the wire, but a mailbox's *identity* is lower case:
`Anna@` and `anna@` must not be warmed up twice.
Failure: what cannot be read is None or a `FromProblem`, never a guess.
"""

import re
from enum import StrEnum
from functools import lru_cache

import idna


class FromProblem(StrEnum):
    """Why a header names no single mailbox; the value is the sentence for the client."""

    MISSING = "the message has no From: field"
    SEVERAL = "the message has more than one From: field or From: address"
    UNREADABLE = "the From: field holds no readable address"


_ASCII_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*\Z"
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_FOLD = re.compile(r"\r\n(?=[ \t])")
_ANGLE = re.compile(r"<([^<>]*)>")
_ATOM = r"-.A-Za-z0-9!#$%&'*+/=?^_`{|}~"
_PLAIN = re.compile(rf"[{_ATOM} ]*+<([{_ATOM}]++@[A-Za-z0-9.-]++)>\Z")
_LONGEST_FROM = 8192
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_SPECIAL = re.compile(rb'["\\]')
# What the gateway takes without quotes (`gateway.envelope`): more than RFC 5322's dot-atom.
_UNQUOTED = re.compile(rb'[^\s<>"@,:;()\\\x00-\x1f\x7f]+\Z')
_BARE = re.compile(r'[^\s@<>()",;:\\]+@[^\s@<>()",;:\\]+')


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


def normal_local(local: bytes) -> bytes:
    """A local part without the quotes it does not need: `"a"@x` is `a@x` (RFC 5321 section 4.1.2,
    RFC 5322 section 3.4.1). Case is kept."""
    if len(local) < 2 or local[:1] != b'"' or local[-1:] != b'"':
        return local
    plain = _PAIR.sub(rb"\1", local[1:-1])
    if _UNQUOTED.match(plain):
        return plain
    return b'"%b"' % _SPECIAL.sub(rb"\\\g<0>", plain)


def split_address(address: str) -> tuple[str, str] | None:
    """(local part, normal domain), or None when there is no local part or no readable domain."""
    local, at, domain = address.rpartition("@")
    if not at or not local:
        return None
    normal = normal_domain(domain)
    return None if normal is None else (local, normal)


def mailbox_of(address: str) -> str | None:
    """The identity of a sender address, `local@domain` in lower case with A-labels."""
    parts = split_address(address)
    return None if parts is None else f"{parts[0].lower()}@{parts[1]}"


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


def from_mailbox(value: str) -> str | FromProblem:
    """The mailbox of one unfolded or folded `From:` value (RFC 5322 section 3.4).

    Display names, quoted strings and comments are skipped; groups and lists are refused. What
    nearly all mail has is read by one expression; a test holds it equal to the whole grammar."""
    plain = _PLAIN.match(value) if len(value) <= _LONGEST_FROM else None
    if plain is not None:
        return mailbox_of(plain[1]) or FromProblem.UNREADABLE
    return _any_mailbox(value)


def _any_mailbox(value: str) -> str | FromProblem:
    text = _FOLD.sub("", value)
    if len(text) > _LONGEST_FROM:
        return FromProblem.UNREADABLE
    quoted = '"' in text
    if quoted:
        # A quoted local part ("a b"@x) is the rare case: keep it, blank the display names.
        text = _QUOTED.sub(_keep_local_part, text)
    if "(" in text:
        stripped = _without_comments(text)
        if stripped is None:
            return FromProblem.UNREADABLE
        text = stripped
    angles = _ANGLE.findall(text)
    if len(angles) > 1:
        return FromProblem.SEVERAL
    if angles:
        outside = _ANGLE.sub("", text)
        if "@" in outside and _BARE.search(outside) and "," in outside:
            return FromProblem.SEVERAL
        if ";" in outside or "," in outside.strip().strip(","):
            return FromProblem.SEVERAL
        candidate = angles[0].strip()
    else:
        parts = [part for part in text.split(",") if part.strip()]
        if len(parts) > 1:
            return FromProblem.SEVERAL
        candidate = text.strip().strip(",").strip()
    if any(c.isspace() for c in candidate) or candidate.count("@") != 1:
        return FromProblem.UNREADABLE
    return mailbox_of(candidate) or FromProblem.UNREADABLE


def _keep_local_part(match: re.Match[str]) -> str:
    following = match.string[match.end() : match.end() + 1]
    return match.group().replace(" ", "_") if following == "@" else " "


def _without_comments(text: str) -> str | None:
    """Comments nest (RFC 5322 section 3.2.2); None when they do not balance."""
    kept, depth, escaped = [], 0, False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and depth:
            escaped = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                return None
        elif not depth:
            kept.append(char)
    return None if depth else "".join(kept)
