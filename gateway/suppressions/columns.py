"""Digests in order, with what is known of each: three columns of 64-bit numbers.

24 octets an entry. The first column is the front half of the digest: asked for with `bisect`, which
reads a mapped column without copying it, a digest among a million is found in a microsecond.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from policy.suppression import REASONS, Reason

FOREVER = (1 << 48) - 1
"""As the end of an entry; calendar milliseconds have 48 bits until the year 10889."""
ENDED = 0
"""As the end of an entry that is none any more."""

Change = tuple[int, int, int]
"""(front and back half of a digest, mark)."""


class Columns(NamedTuple):
    """Entries in the order of their digests."""

    front: Sequence[int]
    back: Sequence[int]
    marks: Sequence[int]

    def find(self, front: int, back: int) -> int:
        """The mark of an entry, -1 for none."""
        fronts = self.front
        place = bisect_left(fronts, front)
        while place < len(fronts) and fronts[place] == front:
            if self.back[place] == back:
                return self.marks[place]
            place += 1
        return -1

    @property
    def total(self) -> int:
        return len(self.front)


NOTHING = Columns(array("Q"), array("Q"), array("Q"))


def mark(reason: str, ends: int) -> int:
    """`ends` in calendar milliseconds. A reason that this version does not know is `other`."""
    number = REASONS.index(reason) if reason in REASONS else 0
    return number << 48 | min(max(ends, ENDED), FOREVER)


def ends(marked: int) -> int:
    """Calendar milliseconds."""
    return marked & FOREVER


def reason(marked: int) -> Reason:
    """That of a newer version is `other`."""
    number = marked >> 48
    return REASONS[number] if number < len(REASONS) else "other"


def halves(digest: bytes) -> tuple[int, int]:
    """Of 16 octets; in their order digests are in theirs."""
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def columns(entries: Iterable[Change]) -> Columns:
    """Of entries in order."""
    made = _empty()
    for entry in entries:
        for column, value in zip(made, entry, strict=True):
            column.append(value)
    return Columns(*made)


def _empty() -> tuple["array[int]", "array[int]", "array[int]"]:
    """Three columns to fill."""
    return array("Q"), array("Q"), array("Q")


def merged(base: Columns, changes: Columns) -> Columns:
    """`base` with the changes in it; those that ended are gone."""
    made = _empty()
    at = 0
    for change in zip(*changes, strict=True):
        front, back, marked = change
        place = bisect_left(base.front, front, at)
        while place < base.total and (base.front[place], base.back[place]) < (front, back):
            place += 1
        _copy(base, at, place, made)
        at = place
        if at < base.total and (base.front[at], base.back[at]) == (front, back):
            at += 1
        if ends(marked) != ENDED:
            for column, value in zip(made, change, strict=True):
                column.append(value)
    _copy(base, at, base.total, made)
    return Columns(*made)


def _copy(
    base: Columns, first: int, end: int, into: tuple["array[int]", "array[int]", "array[int]"]
) -> None:
    if first < end:
        for column, target in zip(base, into, strict=True):
            target.frombytes(memoryview(column[first:end]).cast("B"))  # type: ignore[arg-type]
