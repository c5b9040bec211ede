"""Rows out of a piece of an accounting file; a record that is not complete yet waits.

Source: RFC 4180. Quoted fields hold commas, quotes (doubled) and line breaks.
"""

import csv
from collections.abc import Iterator
from typing import NamedTuple


class Rows(NamedTuple):
    """Complete rows, the octets they took, and how many records could not be read."""

    rows: list[list[str]]
    used: int
    broken: int


def rows_of(data: bytes, most: int) -> Rows:
    """At most `most` rows from the beginning of `data`.

    Octets that are no UTF-8 survive as surrogates (PEP 383): a bounce text in Latin-1 must not
    cost the evidence of its record."""
    lines = _Lines(data)
    reader = csv.reader(lines)
    rows: list[list[str]] = []
    used = broken = 0
    while len(rows) < most:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error:
            # Its first line only: a quote nobody closed has swallowed good records behind it.
            broken += 1
            lines.position = used = data.find(b"\n", used) + 1
            continue
        # The reader closes an open quote by itself when the lines end: that row is no row yet.
        if lines.ended:
            break
        used = lines.position
        if row:
            rows.append(row)
    return Rows(rows, used, broken)


class _Lines(Iterator[str]):
    """The complete lines of `data`, counting the octets handed out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0
        self.ended = False

    def __next__(self) -> str:
        end = self._data.find(b"\n", self.position) + 1
        if not end:
            self.ended = True
            raise StopIteration
        line = self._data[self.position : end]
        self.position = end
        return line.decode("utf-8", "surrogateescape")
