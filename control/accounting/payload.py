"""A batch of records as somebody posts them, in pieces: CSV, or JSON as lines, an array or one
object. Pure.

What cannot be read is set aside with its place and its octets, and the records around it are
taken. CSV is read as files are (`control.accounting.records`): a cut is believed.
Sources: PowerMTA's webhook sends an object a line with all configured fields, even empty; pipe
programs and forwarders in the wild send arrays, values as strings, times as epoch seconds.
"""

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from control.accounting.columns import MARK, Columns, Times, field
from control.accounting.records import LONGEST, Piece, Record, split
from policy.address import split_address

LONG_NAMES = {
    "delivery": "d",
    "delivered": "d",
    "bounce": "b",
    "bounced": "b",
    "transient": "t",
    "transient-queue": "tq",
    "receipt": "r",
    "feedback-loop": "f",
    "feedback": "f",
    "complaint": "f",
    "remote-bounce": "rb",
    "remote-status": "rs",
}
"""Of record types, as `records` of an `<acct-file>` takes them and forwarders write them."""

BAD_ADDRESS = "hb"
"""The type given to `{"email", "reason"}`: a script that tells hard bounces alone, without a type
or a time. It is no record of PowerMTA's, which may tell the same bounce too."""

_OF_ONE = frozenset("rdbt")
"""Types of what befell one recipient."""
_KIND = re.compile(r"[a-z]{1,3}")
_BLANK = b" \t\r\n\0"
_STEP = 65_536
_BROKEN = 1_000
"""Elements that are no JSON, after which the rest of a batch is set aside in one."""
_KINDS_OF_OBJECT = 256
"""Sets of names met in one batch whose places are remembered."""


class InflatedError(ValueError):
    """A packed body is damaged, or larger than its bound."""


class TooLargeError(InflatedError):
    """Its content is larger than its bound."""


class SetAside(NamedTuple):
    """What could not be read."""

    place: str
    """Such as `line 7` or `offset 1024`."""
    why: str
    raw: bytes
    header: str = ""
    """The names of the columns it stands under."""


class Share(NamedTuple):
    """Some records of a batch."""

    pieces: list[Piece]
    set_aside: list[SetAside]


def inflated(body: bytes, most: int) -> bytes:
    """The content of a body that may be packed with gzip, known by its magic: how it is announced
    differs. Raises InflatedError beyond `most` octets."""
    content = bytearray()
    for part in _unpacked(body) if body[:2] == b"\x1f\x8b" else (body,):
        content += part
        if len(content) > most:
            raise TooLargeError(f"its content has more than {most} octets")
    return bytes(content)


def _unpacked(body: bytes) -> Iterator[bytes]:
    """Of all members, one behind the other. Raises InflatedError."""
    member = zlib.decompressobj(wbits=31)
    try:
        for at in range(0, len(body), _STEP):
            packed = body[at : at + _STEP]
            while packed:
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(packed, 4 * _STEP)
                # gzip pads with zeros on tapes.
                packed = member.unused_data.lstrip(b"\0") if member.eof else member.unconsumed_tail
    except zlib.error as error:
        raise InflatedError(f"it cannot be unpacked ({error})") from error
    if not member.eof:
        raise InflatedError("it ends before its packed content does")


def header_of(columns: Columns | None) -> str:
    """Its names as the first line of a file."""
    return ",".join(columns.names) if columns is not None else ""


def shares(content: bytes, most: int) -> Iterator[Share]:
    """At most `most` records at a time, whole batches in order."""
    start = content.lstrip(_BLANK + MARK.encode())
    if start[:1] in (b"{", b"["):
        return _objects(start, most)
    return _lines(content, most)


def _lines(content: bytes, most: int) -> Iterator[Share]:
    at, columns = 0, None
    while at < len(content):
        # A window, and never its last record but at the end: it may go on behind it.
        data = content[at : at + 8 * LONGEST]
        last = at + len(data) == len(content)
        header = header_of(columns)
        found = split(
            data + b"\n" if last and not data.endswith(b"\n") else data, most, columns, last=last
        )
        aside = [
            SetAside(f"offset {at + cut.offset}", cut.why, data[cut.offset : cut.end], header)
            for cut in found.cuts
        ]
        columns = found.columns
        if not found.used:
            aside.append(SetAside(f"offset {at}", "a record has no end", data, header))
            found = found._replace(used=len(data))
        at += found.used
        if found.pieces or aside:
            yield Share(found.pieces, aside)


class _Objects:
    """Records of objects, and what is none of them."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.set_aside: list[SetAside] = []
        self.count = 0
        self._columns: dict[tuple[str, ...], Columns] = {}
        self._times = Times()

    def take(self, found: Any, place: str, raw: bytes) -> None:
        """One object."""
        why = self._record(found, raw)
        if why:
            self.set_aside.append(SetAside(place, why, raw))
        self.count += 1

    def share(self) -> Share:
        """What was found since the last one."""
        taken = Share(self.pieces, self.set_aside)
        self.pieces, self.set_aside, self.count = [], [], 0
        return taken

    def _record(self, found: Any, raw: bytes) -> str:
        if not isinstance(found, dict):
            return "it is not a JSON object"
        names = tuple(found)
        columns = self._columns.get(names)
        if columns is None:
            # The type first, as in files.
            columns = Columns(tuple(sorted(names, key=lambda name: name.lower() != "type")))
            if len(self._columns) < _KINDS_OF_OBJECT:
                self._columns[names] = columns
        if not columns.names:
            return "it has no fields"
        if columns.names[0].lower() != "type":
            small = {name.lower() for name in names}
            if not {"email", "reason"} <= small:
                return _typeless(names)
            if "tenant" in small:
                return "it names a tenant, and its address would be everybody's: leave that out"
            columns = Columns(("type", *names))
            found = {"type": BAD_ADDRESS, **found}
        fields = [_text(found[name]) for name in columns.names]
        kind = fields[0].strip()
        fields[0] = kind = LONG_NAMES.get(kind.lower(), kind)
        if not _KIND.fullmatch(kind):
            return f"{kind[:40]!r} is no type of a record"
        time = field(fields, columns.time)
        if time and self._times(time) is None:
            return f"its time {time[:40]!r} cannot be read"
        rcpt = field(fields, columns.rcpt)
        if kind == BAD_ADDRESS and split_address(rcpt.strip()) is None:
            return f"{rcpt[:40]!r} is no mail address"
        if kind in _OF_ONE and not (time or rcpt or field(fields, columns.envid)):
            return "it says neither when it was, nor of whom or of which message it is"
        if not self.pieces or self.pieces[-1].columns is not columns:
            self.pieces.append(Piece(columns, []))
        self.pieces[-1].records.append(Record(fields, raw))
        return ""


def _typeless(names: tuple[str, ...]) -> str:
    small = "email" in {name.lower() for name in names}
    return "it has an email, and neither a type nor a reason" if small else "it has no type"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _objects(content: bytes, most: int) -> Iterator[Share]:
    """Lines of objects, an array of them, or one over several lines."""
    work = _Objects()
    if content[:1] == b"{" and _is_object(content.split(b"\n", 1)[0]):
        at = number = 0
        while at < len(content):
            end = content.find(b"\n", at) + 1 or len(content)
            line = content[at:end].strip(_BLANK)
            at, number = end, number + 1
            if line:
                _take_line(work, line, f"line {number}")
                if work.count >= most:
                    yield work.share()
    else:
        for number, (found, raw) in enumerate(_elements(content), 1):
            if isinstance(found, _Broken):
                work.set_aside.append(SetAside(f"element {number}", found.why, raw))
                work.count += 1
            else:
                work.take(found, f"element {number}", raw)
            if work.count >= most:
                yield work.share()
    if work.count:
        yield work.share()


def _take_line(work: _Objects, line: bytes, place: str) -> None:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            # A bounce text in Latin-1 must not cost its record.
            found = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            work.set_aside.append(SetAside(place, f"it is not JSON ({error})", line))
            work.count += 1
            return
    work.take(found, place, line)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode("utf-8", "surrogateescape")), dict)
    except (ValueError, RecursionError):
        return False


class _Broken(NamedTuple):
    why: str


_DECODER = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,\[\]\0]*")


def _elements(content: bytes) -> Iterator[tuple[Any, bytes]]:
    """Objects of an array (or of several, or one behind the other), each with its octets."""
    text = content.decode("utf-8", "surrogateescape")
    at = broken = 0
    while True:
        match = _BETWEEN.match(text, at)
        at = match.end() if match else at
        if at >= len(text):
            return
        try:
            found, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            # On with the next object that may be one.
            broken += 1
            end = text.find("{", at + 1) if broken < _BROKEN else -1
            end = len(text) if end < 0 else end
            found = _Broken(f"it is not JSON ({error})")
        yield found, text[at:end].encode("utf-8", "surrogateescape")
        at = end
