"""The header fields PowerMTA reads and removes: x-virtual-mta, x-job, x-envid; and Message-Id.

Source: PowerMTA 5.0 User's Guide, "x-" header fields. One pass over the header block; the body is
never looked at.
"""

import re
from typing import NamedTuple

# `^` also matches after a bare LF on purpose: a VirtualMTA smuggled in behind one must be seen.
FIELD = re.compile(
    rb"^(x-virtual-mta|x-job|x-envid|message-id)[ \t]*:([^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*)",
    re.IGNORECASE | re.MULTILINE,
)
NAME = re.compile(rb"^([^\s:]+)[ \t]*:", re.MULTILINE)


class Found(NamedTuple):
    """What the header block says: unfolded values in order, and where each field stands."""

    virtual_mtas: list[str]
    jobs: list[str]
    envids: list[str]
    message_id: str
    spans: list[tuple[bytes, int, int]]


def scan(message: bytes) -> Found:
    """Read the header block of `message` (dot-unstuffed, CRLF lines)."""
    end = _end(message)
    values: dict[bytes, list[str]] = {}
    spans = []
    for match in FIELD.finditer(message, 0, end):
        name = match[1].lower()
        values.setdefault(name, []).append(text(b" ".join(match[2].split())))
        if name != b"message-id":
            spans.append((name, match.start(), match.end()))
    found = values.get
    return Found(
        found(b"x-virtual-mta", []),
        found(b"x-job", []),
        found(b"x-envid", []),
        found(b"message-id", [""])[0],
        spans,
    )


def without(message: bytes, found: Found, removed: frozenset[bytes]) -> bytes:
    """`message` without the fields named in `removed` (lower case)."""
    kept = []
    position = 0
    for name, start, stop in found.spans:
        if name in removed:
            kept.append(message[position:start])
            position = stop
    if not kept:
        return message
    kept.append(message[position:])
    return b"".join(kept)


def names(message: bytes) -> list[str]:
    """The names of all header fields in order, as written."""
    return [text(match[1]) for match in NAME.finditer(message, 0, _end(message))]


def text(raw: bytes) -> str:
    """`raw` as text that any encoder takes: what is no UTF-8 becomes ``\\xNN``."""
    return raw.decode("utf-8", "backslashreplace")


def _end(message: bytes) -> int:
    if message.startswith(b"\r\n"):
        return 0
    end = message.find(b"\r\n\r\n")
    return len(message) if end < 0 else end + 2
