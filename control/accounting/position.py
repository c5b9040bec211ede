"""How far a file has been read."""

import hashlib

import msgspec

READING = "reading"
WHOLE = "whole"
LOST = "lost"

MARKED = 64
"""Octets before the offset whose digest shows that it is still that file."""


class Position(msgspec.Struct, frozen=True):
    """Of one file; all empty: none was begun."""

    file: str = ""
    """As PowerMTA named it."""
    inode: int = 0
    offset: int = 0
    """In the content, packed or not."""
    mark: str = ""
    """Digest of the octets before `offset`; '' where none was taken: trusted."""
    header: tuple[str, ...] = ()
    state: str = READING
    """`whole`: read to its end, and a later file exists; `lost`: it vanished before."""


def mark_of(octets: bytes) -> str:
    """Of the content only a digest is kept: it holds addresses, which may have to be forgotten."""
    return hashlib.blake2b(octets[-MARKED:], digest_size=8).hexdigest() if octets else ""


def is_same(at: Position, begin: int, octets: bytes) -> bool:
    """Whether the octets from `begin` up to the offset are those that were read."""
    before = octets[: at.offset - begin]
    if len(before) < at.offset - begin:
        return False
    return not at.mark or mark_of(before) == at.mark
