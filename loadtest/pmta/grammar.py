"""The grammar of a PowerMTA configuration: lines, words, blocks, includes.

Source: PowerMTA 5.0 User's Guide, configuration. One directive a line, ``<tag arg>`` to
``</tag>`` for blocks, ``"…"`` around values with blanks. ``#`` starts a comment anywhere in a
line, quotes or not: a generator that forgets this truncates its own values, and must see that here.
What a directive means is not known here (``directives.py``, ``config.py``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

WORD = re.compile(r'"([^"]*)"|(\S+)')


class ConfigError(Exception):
    """The configuration cannot be loaded; the text is PowerMTA's: file, line, problem."""

    def __init__(self, at: "Place", problem: str) -> None:
        super().__init__(f"Error in line {at.line} of {at.path}: {problem}")


class Place(NamedTuple):
    """Where something stands: file and line (from 1)."""

    path: Path
    line: int


class Directive(NamedTuple):
    """One line: ``name value…``; names are compared in lower case."""

    at: Place
    name: str
    values: tuple[str, ...]


@dataclass(slots=True)
class Block:
    """``<tag argument>`` with what it holds, in order; the file itself is a block without a tag."""

    at: Place
    tag: str
    argument: str = ""
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
            if line[2:-1].strip().lower() != open_blocks[-1].tag or not line.endswith(">"):
                raise ConfigError(at, f"expected </{open_blocks[-1].tag}>, found {line}")
            open_blocks.pop()
        elif line.startswith("<"):
            open_blocks.append(_open(at, line))
            open_blocks[-2].blocks.append(open_blocks[-1])
        elif line:
            name, *values = _words(at, line)
            if name.lower() == "include":
                _include(at, values, open_blocks, (*including, path))
            else:
                open_blocks[-1].directives.append(Directive(at, name.lower(), tuple(values)))
    if len(open_blocks) > depth:
        block = open_blocks[-1]
        raise ConfigError(block.at, f"<{block.tag}> is never closed; add </{block.tag}>")


def _open(at: Place, line: str) -> Block:
    words = _words(at, line[1:-1])
    if not line.endswith(">") or not words:
        raise ConfigError(at, f"{line} is not a block; write <tag argument>")
    return Block(at, words[0].lower(), " ".join(words[1:]))


def _words(at: Place, line: str) -> list[str]:
    words: list[str] = []
    for match in WORD.finditer(line):
        quoted, plain = match.groups()
        if plain is not None and plain.startswith('"'):
            raise ConfigError(at, "closing quote missing (a # inside quotes starts a comment too)")
        words.append(quoted if plain is None else plain)
    return words


def _include(
    at: Place, values: list[str], open_blocks: list[Block], including: tuple[Path, ...]
) -> None:
    if len(values) != 1:
        raise ConfigError(at, "include takes one file name")
    pattern = at.path.parent / values[0]
    wild = any(mark in values[0] for mark in "*?[")
    found = sorted(pattern.parent.glob(pattern.name)) if wild else [pattern]
    for path in found:
        if path in including:
            raise ConfigError(at, f"{path} includes itself")
        try:
            _read(path, open_blocks, including)
        except OSError as problem:
            raise ConfigError(at, f"cannot read {path}: {problem.strerror}") from problem
