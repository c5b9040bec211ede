"""What a running configuration holds of our nouns, and what became of each of its parts. Pure."""

import re
from typing import NamedTuple

import msgspec

from control.pmta.grammar.node import Line, Node, Place

LONGEST = 200
"""Characters of a part that are shown."""
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the configuration."""

    file: str
    line: int
    text: str
    """As it stands there, without what is inside a block."""
    what: str
    """What became of it, or why nothing did."""


def entry(place: Place, text: str, what: str) -> Entry:
    """As it can be shown in a terminal: without control characters, and not for ever."""
    shown = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST - 1]}…"
    return Entry(file=place.file, line=place.line, text=shown, what=what)


class Report(msgspec.Struct, kw_only=True):
    """All of it, in the order of the files."""

    understood: list[Entry] = []
    """Became rows."""
    kept: list[Entry] = []
    """PowerMTA's own: goes on as it was, in an include of the operator's."""
    refused: list[Entry] = []
    """PowerMTA, or Sendgate, cannot have it so."""
    warned: list[Entry] = []
    """Kept or understood, and lets mail reach an IP past the gateways, or opens a door."""


class FoundKey(NamedTuple):
    """A `domain-key` line."""

    place: Place
    selector: str
    domain: str
    """`*`: of whatever domain."""
    file: str

    def __str__(self) -> str:
        return f"domain-key {self.selector},{self.domain},{self.file}"


def key_of(line: Line) -> FoundKey | None:
    """Of a `domain-key` line; None: it is not SELECTOR,DOMAIN,FILE."""
    parts = [part.strip() for part in line.argument.strip('"').split(",")]
    if len(parts) != 3 or not all(parts):
        return None
    selector, domain, file = parts
    return FoundKey(line.place, selector, domain.lower(), file)


class FoundVmta(msgspec.Struct, frozen=True, kw_only=True):
    """A VirtualMTA with its one address."""

    place: Place
    name: str
    ip: str
    host_name: str
    keys: tuple[FoundKey, ...] = ()


class FoundPool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool; members by name, in its order."""

    place: Place
    name: str
    members: tuple[str, ...]
    keys: tuple[FoundKey, ...] = ()


class Understanding(msgspec.Struct, kw_only=True):
    """Of a whole configuration. Names as they were first written; PowerMTA does not mind case."""

    vmtas: list[FoundVmta] = []
    pools: list[FoundPool] = []
    keys: list[FoundKey] = []
    """Of all VirtualMTAs."""
    report: Report = msgspec.field(default_factory=Report)
    kept: list[Node] = []
    """Of the top level."""
    inner: dict[str, list[Node]] = {}
    """Kept of the inside of a VirtualMTA or pool, by its name."""
