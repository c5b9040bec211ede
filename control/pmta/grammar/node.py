"""What a PowerMTA configuration consists of: lines, blocks, comments, includes. Pure.

Source: PowerMTA v5.0 User's Guide, chapter 3. Values are kept as they were written, without the
blanks around them: quotes, macros and patterns mean something to PowerMTA that is not ours to
change.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

PATTERN = "/"
"""The name of a line that begins with a regular expression instead of a directive."""


class Place(NamedTuple):
    """Where something stands: file, and line from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One directive with its argument; with a pattern, `argument` is the whole line."""

    place: Place
    name: str
    argument: str = ""
    comment: str = ""
    """What stood behind `#` in the same line."""
    mended: str = ""
    """What was amiss with how it was written, and is not any more; '': nothing."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """`<tag argument>` to `</tag>`."""

    place: Place
    tag: str
    argument: str = ""
    comment: str = ""
    behind: str = ""
    """The line of a pattern list at whose end it opens (guide 3.3.14.3)."""
    inside: "tuple[Node, ...]" = ()


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is only a comment. `text` without the `#`."""

    place: Place
    text: str


class Include(msgspec.Struct, frozen=True, kw_only=True):
    """An `include`, with the files it named, in their order."""

    place: Place
    argument: str
    comment: str = ""
    files: "tuple[File, ...]" = ()


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file and what is in it."""

    name: str
    inside: "tuple[Node, ...]" = ()


Node = Line | Block | Comment | Include


class Fault(NamedTuple):
    """Something PowerMTA would refuse, or read otherwise than was meant."""

    place: Place
    text: str
    """As it stood there."""
    why: str


def flat(nodes: tuple[Node, ...]) -> Iterator[Line | Block]:
    """Lines and blocks in the order in which PowerMTA meets them, through includes."""
    return (node for _, node in commented(nodes))


def commented(nodes: tuple[Node, ...]) -> Iterator[tuple[tuple[Comment, ...], Line | Block]]:
    """The same, each with the comments that stand above it."""
    above: list[Comment] = []
    for node in nodes:
        if isinstance(node, Comment):
            above.append(node)
        elif isinstance(node, Include):
            for file in node.files:
                yield from commented(file.inside)
        else:
            yield tuple(above), node
            above.clear()


def file_names(file: File) -> list[str]:
    """The file and all it includes, each as often as it is included, in the order of reading."""
    found = [file.name]

    def look(nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            if isinstance(node, Include):
                for one in node.files:
                    found.extend(file_names(one))
            elif isinstance(node, Block):
                look(node.inside)

    look(file.inside)
    return found
