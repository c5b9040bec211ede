"""Links and headings of documents, as a forge shows them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r"^(```|~~~)")
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Link(NamedTuple):
    """Where a line leads."""

    line: int
    path: str
    """Relative to the document; empty: the document itself."""
    anchor: str


def prose(markdown: str) -> Iterator[tuple[int, str]]:
    """(number, text) of each line outside fenced blocks."""
    fenced = False
    for number, line in enumerate(markdown.splitlines(), 1):
        if _FENCE.match(line.lstrip()):
            fenced = not fenced
        elif not fenced:
            yield number, line


def links(markdown: str) -> list[Link]:
    """Of the repository: what has a scheme leads elsewhere."""
    found = []
    for number, line in prose(markdown):
        for target in _LINK.findall(_CODE.sub("", line)):
            if not re.match(r"\w+:", target):
                path, _, anchor = target.partition("#")
                found.append(Link(number, path, anchor))
    return found


def anchors(markdown: str) -> list[str]:
    """Of the headings, in order; the second of a name has `-1` behind it."""
    found: list[str] = []
    seen: dict[str, int] = {}
    for _, line in prose(markdown):
        if re.match(r"#{1,6} ", line):
            name = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
            found.append(f"{name}-{seen[name]}" if name in seen else name)
            seen[name] = seen.get(name, 0) + 1
    return found
