"""The Lua files of this folder, loaded once by name, with the prelude in front.

The script that decides is made of pieces, one noun each; a piece uses those before it.
"""

from functools import cache
from importlib import resources

_FOLDER = resources.files(__package__)

_PIECES = {"decide": ("counting", "choosing", "limiting", "remembering")}


@cache
def source(name: str) -> str:
    """The full text of script `name`. Raises FileNotFoundError for a name without a file."""
    return "".join(map(_read, ("prelude", *_PIECES.get(name, ()), name)))


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
