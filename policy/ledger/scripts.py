"""The Lua files of this folder, loaded once by name, with the prelude in front."""

from functools import cache
from importlib import resources

_FOLDER = resources.files(__package__)

_PIECES = {"entries": ("buckets",), "entries_free": ("buckets",)}
"""What stands before a script, of the pieces of `library`."""


@cache
def source(name: str) -> str:
    """The full text of script `name`. Raises FileNotFoundError for a name without a file."""
    pieces = ("prelude", *_PIECES.get(name, ()))
    return "".join(map(read, pieces)) + "begin(KEYS[1], {})\n" + read(name)


def read(name: str) -> str:
    """One file's text."""
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
