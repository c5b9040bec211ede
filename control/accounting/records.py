"""Records out of a piece of an accounting file: whole ones, each checked for being one record.

Source: RFC 4180. Quoted fields hold commas, quotes (doubled) and line breaks; a quote anywhere
else is no CSV.
A crash cuts the record being written, and PowerMTA appends behind it: then two records stand in
one line, or a quote that nobody closed swallows the records behind it. Both look like a record
to a reader that trusts what it reads. Here a record has to be of a known type, with a time, no
wider than its header, and hold no other record; anything else is a cut, told with its offset, and
reading goes on with the next line that is a record by itself. Where both readings are possible
(a line inside quotes that is a record) the cut is believed: what follows from a gap is that a
message waits, what follows from a missed one is that it goes twice.
"""

import re
from typing import NamedTuple

from control.accounting.columns import MARK, Columns, Times, field, milliseconds, names_of

LONGEST = 262_144
"""Octets of the longest record."""

TYPES = ("r", "d", "b", "t", "tq", "rb", "rs", "f")
_TYPE = frozenset(TYPES)
_CUT = {kind[:end] for kind in TYPES for end in (1, len(kind))}
RUN_ON = frozenset(cut + kind for cut in _CUT for kind in TYPES) - _TYPE
"""What the type of a record reads as that was written behind a cut in another's type. (An `r` in
front of a `b` reads `rb`: known by the fields that remote bounces never have.)"""

_FIELD = rb'(?:"(?:[^"]++|"")*+"|[^",\r\n]*+)'
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n")
_FIELDS = re.compile(r'(?:\A|,)("(?:[^"]++|"")*+"|[^",]*+)')
_START = re.compile(rb"^(?:" + "|".join(TYPES).encode() + rb")(?:,[^\n]*)?\n", re.MULTILINE)
_UNKNOWN = re.compile(r"[a-z]{1,3}")
# A field that ends in a letter before a time: as where a record begins.
_INNER = re.compile(rb"[a-z],(?:\d{4}-\d\d-\d\d[ T]|\d\d/\d\d/\d{4} |\d{9,11},)")


class Record(NamedTuple):
    """One record: its fields, and its octets without the line break."""

    fields: list[str]
    raw: bytes


class Piece(NamedTuple):
    """Records under one header."""

    columns: Columns
    records: list[Record]


class Cut(NamedTuple):
    """Where a record cannot be read, from the beginning of the data."""

    offset: int
    why: str
    end: int = 0
    """Where reading goes on."""


class Split(NamedTuple):
    """What a piece of a file holds."""

    pieces: list[Piece]
    records: int
    used: int
    """Octets taken; what follows is a record that has not come whole."""
    cuts: list[Cut]
    columns: Columns | None
    """Those in force behind it."""


def split(data: bytes, most: int, columns: Columns | None, *, last: bool = False) -> Split:
    """At most `most` records from the beginning of `data`. `columns` None: the file's first line is
    at its beginning. `last`: nothing will be written behind it any more.

    Octets that are no UTF-8 survive as surrogates (PEP 383): a bounce text in Latin-1 must not
    cost what its record proves."""
    work = _Splitter(data, columns)
    while work.count < most and work.step(last=last):
        pass
    if last and work.count < most and work.position < len(data):
        work.cut("it ends in the middle of a record", len(data))
    return Split(work.pieces, work.count, work.position, work.cuts, work.columns)


class _Splitter:
    def __init__(self, data: bytes, columns: Columns | None) -> None:
        self.data = data
        self.columns = columns
        self.position = 0
        self.count = 0
        self.pieces: list[Piece] = []
        self.cuts: list[Cut] = []
        self._width = 0
        """Fields of the last good record."""
        self._times = Times()

    def step(self, *, last: bool) -> bool:
        """Take one record, or what stands in its place; False: nothing whole is left."""
        data, position = self.data, self.position
        end = data.find(b"\n", position) + 1
        if not end:
            if len(data) - position < LONGEST:
                return False
            self.cut("a record has no end", len(data))
            return True
        if data.find(b'"', position, end) < 0:
            raw = data[position:end].rstrip(b"\r\n")
            self._take(raw, raw.decode("utf-8", "surrogateescape").split(","), end)
            return True
        match = _RECORD.match(data, position)
        if match:
            if match.end() > end and (inner := self._record_in(end, match.end())):
                self.cut("a record was cut inside quotes", inner)
                return True
            raw = match.group().rstrip(b"\r\n")
            self._take(raw, _split_quoted(raw), match.end())
            return True
        if inner := self._record_in(end, len(data)):
            self.cut("a record was cut inside quotes", inner)
        elif len(data) - position >= LONGEST or (last and data.endswith(b"\n")):
            self.cut("a quote is never closed", data.rfind(b"\n") + 1)
        else:
            return False
        return True

    def cut(self, why: str, resume: int) -> None:
        """Nothing from here to `resume` can be read."""
        self.cuts.append(Cut(self.position, why, resume))
        self.position = resume

    def _take(self, raw: bytes, fields: list[str], end: int) -> None:
        if not raw:
            self.position = end
            return
        first = fields[0].lstrip(MARK)
        if first == "type" or (self.columns is None and "type" in fields):
            self.columns = Columns(names_of(fields))
            self._width = 0
        elif self.columns is None:
            self.cut("it does not begin with a header line", end)
            return
        elif why := self._why_not(raw, fields, self.columns):
            self.cut(why, end)
            return
        else:
            self._width = len(fields)
            self.count += 1
            if not self.pieces or self.pieces[-1].columns is not self.columns:
                self.pieces.append(Piece(self.columns, []))
            self.pieces[-1].records.append(Record(fields, raw))
        self.position = end

    def _why_not(self, raw: bytes, fields: list[str], columns: Columns) -> str:
        """Why this is not one whole record; '' for one."""
        kind = fields[0]
        if kind not in _TYPE and (kind in RUN_ON or not _UNKNOWN.fullmatch(kind)):
            return "it does not begin with a record's type"
        if len(fields) > columns.width:
            return "more fields than columns"
        if b"\0" in raw:
            return "a record holds NUL octets"
        time = field(fields, columns.time)
        if time and self._times(time) is None:
            return "a record's time cannot be read"
        if kind == "r" and len(fields) < columns.whole_receipt:
            return "a receipt is too short"
        if kind in ("rb", "rs") and any(
            at < len(fields) and fields[at] for at in columns.not_remote
        ):
            return "a receipt was cut behind its first letter"
        # From behind the type: its own time follows there.
        if _INNER.search(raw, len(kind)) and self._holds_another(fields, columns):
            return "two records stand in one line"
        return ""

    def _holds_another(self, fields: list[str], columns: Columns) -> bool:
        """Whether a time stands where none belongs, behind what may be a type."""
        full = len(fields) == columns.width
        return any(
            at not in columns.times
            and fields[at - 1].endswith(TYPES)
            # A job may be a number of ten digits: as a time it counts in records cut short only.
            and not (full and fields[at].isdigit())
            and milliseconds(fields[at]) is not None
            for at in range(2, len(fields))
        )

    def _record_in(self, start: int, stop: int) -> int:
        """Where the first line from `start` on is a record by itself; 0: none before `stop`."""
        columns = self.columns
        if columns is None:
            return 0
        for found in _START.finditer(self.data, start, stop):
            match = _RECORD.match(self.data, found.start())
            if match is None:
                continue
            raw = match.group().rstrip(b"\r\n")
            fields = _split_quoted(raw)
            if len(fields) not in (columns.width, self._width):
                continue
            timed = columns.time >= columns.width or (
                columns.time < len(fields) and fields[columns.time]
            )
            if timed and not self._why_not(raw, fields, columns):
                return found.start()
        return 0


def _split_quoted(raw: bytes) -> list[str]:
    text = raw.decode("utf-8", "surrogateescape")
    return [
        found[1:-1].replace('""', '"') if found.startswith('"') else found
        for found in _FIELDS.findall(text)
    ]
