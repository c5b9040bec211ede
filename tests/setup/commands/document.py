"""The blocks of a document in order: commands of ```sh, configuration of ```toml."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_BLOCK = re.compile(r"^```(sh|toml)\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    """A command line, or a piece of configuration."""

    document: str
    line: int
    kind: str
    """`sh` or `toml`."""
    text: str


def steps(document: str, markdown: str) -> Iterator[Step]:
    """Lines of sh one by one, those continued by a backslash as one; a toml block as a whole."""
    for block in _BLOCK.finditer(markdown):
        first = markdown.count("\n", 0, block.start()) + 2
        if block[1] == "toml":
            yield Step(document, first, "toml", block[2])
            continue
        start, words = first, ""
        for number, line in enumerate(block[2].splitlines(), first):
            start = start if words else number
            words += line.removeprefix("$ ")
            if words.endswith("\\"):
                words = words[:-1]
                continue
            if words.strip():
                yield Step(document, start, "sh", words.strip())
            words = ""
