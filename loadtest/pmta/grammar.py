"""The grammar of a PowerMTA configuration: lines, words, blocks, includes.

Source: PowerMTA 5.0 User's Guide, configuration. One directive a line, ``<tag arg>`` to
``</tag>`` for blocks, ``"…"`` around values with blanks. ``#`` starts a comment anywhere in a
line, quotes or not: a generator that forgets this truncates its own values, and must see that here.
What a directive means is not known here (``directives.py``, ``config.py``); where ``include`` may
stand is the table's (``table.py``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from loadtest.pmta.table import GLOBAL, places, shown

WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
PATTERN_LINE = "/"
"""What a line is called that begins with a regular expression instead of a name."""
NESTED = "<pattern-list>"
"""Behind a line of a pattern list it opens a list of its own."""


class ConfigError(Exception):
    """The configuration cannot be loaded; the text is PowerMTA's: file, line, problem."""

    def __init__(self, at: "Place", problem: str) -> None:
        super().__init__(f"Error in line {at.line} of {at.path}: {problem}")


class Place(NamedTuple):
    """Where something stands: file and line (from 1)."""

    path: Path
    line: int


class Directive(NamedTuple):
    """One line: ``name value…``; names are compared in lower case. `text`: all behind the name."""

    at: Place
    name: str
    values: tuple[str, ...]
    text: str


@dataclass(slots=True)
class Block:
    """``<tag argument>`` with what it holds, in order; the file itself is a block without a tag."""

    at: Place
    tag: str
    argument: str = ""
    text: str = ""
    """The argument as it was written."""
    directives: list[Directive] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Directive]:
        """Every directive called `name`."""
        return (d for d in self.directives if d.name == name)


def parse(path: Path) -> Block:
    """Read `path` and what it includes into one block. Raises ConfigError, OSError for `path`."""
    root = Block(Place(path, 0), "")
    _read(path, [root], including=())
    return root


def _read(path: Path, open_blocks: list[Block], including: tuple[Path, ...]) -> None:
    depth = len(open_blocks)
    text = path.read_text(encoding="utf-8-sig")
    for number, line in enumerate(text.splitlines(), 1):
        at = Place(path, number)
        line = line.split("#", 1)[0].strip()
        if line.startswith("</"):
            if len(open_blocks) == depth:
                raise ConfigError(at, f"{line} closes nothing; remove it or open its block")
            _close(at, line, open_blocks[-1])
            open_blocks.pop()
        elif line.startswith("<"):
            open_blocks.append(_open(at, line))
            open_blocks[-2].blocks.append(open_blocks[-1])
        elif line:
            directive = _directive(at, line)
            if directive.name == "include":
                _include(directive, open_blocks, (*including, path))
            else:
                open_blocks[-1].directives.append(directive)
            if open_blocks[-1].tag == "pattern-list" and line.endswith(NESTED):
                open_blocks.append(Block(at, "pattern-list"))
                open_blocks[-2].blocks.append(open_blocks[-1])
    if len(open_blocks) > depth:
        block = open_blocks[-1]
        raise ConfigError(block.at, f"<{block.tag}> is never closed; add </{block.tag}>")


def _open(at: Place, line: str) -> Block:
    words = _words(at, line[1:-1])
    if not line.endswith(">") or not words:
        raise ConfigError(at, f"{line} is not a block; write <tag argument>")
    text = line[1:-1].strip().partition(words[0])[2].strip()
    return Block(at, words[0].lower(), " ".join(words[1:]), text)


def _close(at: Place, line: str, block: Block) -> None:
    # The guide closes a block with its argument as well (3.3.19).
    tag, *argument = line[2:-1].split() or [""]
    if not line.endswith(">") or tag.lower() != block.tag or argument not in ([], [block.argument]):
        raise ConfigError(at, f"expected </{block.tag}>, found {line}")


def _directive(at: Place, line: str) -> Directive:
    if line.startswith("/"):
        return Directive(at, PATTERN_LINE, (), line)
    name, *values = _words(at, line)
    return Directive(at, name.lower(), tuple(values), line.partition(name)[2].strip())


def _words(at: Place, line: str) -> list[str]:
    words: list[str] = []
    for match in WORD.finditer(line):
        quoted, plain = match.groups()
        if plain is not None and plain.startswith('"'):
            raise ConfigError(at, "closing quote missing (a # inside quotes starts a comment too)")
        words.append(re.sub(r'\\(["\\])', r"\1", quoted) if plain is None else plain)
    return words


def included(directive: Directive) -> list[Path]:
    """The files that an `include` names; what a wildcard finds, in order. Raises ConfigError."""
    at, values = directive.at, directive.values
    if len(values) != 1:
        raise ConfigError(at, "include takes one file name")
    pattern = at.path.parent / values[0]
    wild = any(mark in values[0] for mark in "*?[")
    return sorted(pattern.parent.glob(pattern.name)) if wild else [pattern]


def whole(path: Path) -> str:
    """The text of `path` with what it includes in the place where it does, comments left out: one
    text that loads as the files do now, whatever becomes of them. Raises ConfigError, OSError."""
    lines: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if line.split()[:1] == ["include"]:
            lines += [whole(other) for other in included(_directive(Place(path, number), line))]
        else:
            lines.append(line)
    return "\n".join(lines)


def _include(directive: Directive, open_blocks: list[Block], including: tuple[Path, ...]) -> None:
    at = directive.at
    place = open_blocks[-1].tag or GLOBAL
    if place not in places("include"):
        raise ConfigError(at, f"'include' may not stand in {shown(place)}; include the whole block")
    for path in included(directive):
        if path in including:
            raise ConfigError(at, f"{path} includes itself")
        try:
            _read(path, open_blocks, including)
        except OSError as problem:
            raise ConfigError(at, f"cannot read {path}: {problem.strerror}") from problem
