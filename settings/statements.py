"""SQL by name: `.sql` files hold blocks that begin with `-- name: what_it_does`.

Both planes have their statements so, beside the modules that run them: one loader, in the package
that both read files with. All files are read once, at import of their user. A duplicate or
a missing name fails there and not in the middle of a request.
"""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: *(\S*) *$", re.MULTILINE)


class StatementError(Exception):
    """A statement file is wrong, or lacks a name somebody asks for."""


def parse(text: str, file: str) -> dict[str, str]:
    """Name to statement. Raises StatementError for text before the first name and for
    names that are missing, malformed, empty or used twice."""
    first, *rest = _NAME.split(text)
    if re.sub(r"^--.*$", "", first, flags=re.MULTILINE).strip():
        raise StatementError(f"{file}: SQL before the first `-- name:`")
    found: dict[str, str] = {}
    for name, body in zip(rest[::2], rest[1::2], strict=True):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise StatementError(f"{file}: {name!r} is not a statement name")
        if name in found:
            raise StatementError(f"{file}: {name} occurs twice")
        if not re.sub(r"^--.*$", "", body, flags=re.MULTILINE).strip():
            raise StatementError(f"{file}: {name} is empty")
        found[name] = body.strip()
    return found


class Statements:
    """The statements of one file."""

    def __init__(self, file: str, found: dict[str, str]) -> None:
        self._file = file
        self._found = found

    def __repr__(self) -> str:
        return f"<Statements {self._file}: {len(self._found)}>"

    def names(self) -> frozenset[str]:
        """All names in the file."""
        return frozenset(self._found)

    def __getitem__(self, name: str) -> str:
        try:
            return self._found[name]
        except KeyError:
            raise StatementError(f"{self._file} has no statement {name}") from None


@cache
def statements(package: str, noun: str) -> Statements:
    """The statements of `NOUN.sql` beside the modules of `package`. Raises StatementError."""
    file = f"{noun}.sql"
    try:
        text = (files(package) / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StatementError(f"there is no {file} in {package}") from None
    return Statements(file, parse(text, file))
