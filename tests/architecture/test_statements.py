"""SQL stands beside its noun: a room loads the files that lie in it, and what asks for another
room's rows asks a function of that room. What shows and what decodes has none at all."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

ROOMS = [path for plane in ("control", "gateway") for path in sorted((ROOT / plane).rglob("*.py"))]
SURFACES = ("api", "cli", "terminal")

_SQL = re.compile(
    r"\A\s*(?:SELECT\b|INSERT\s+INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|WITH\s+\w+\s+AS\b|"
    r"CREATE\s|ALTER\s|DROP\s|TRUNCATE\s|LOCK\s+TABLE\b|SET\s+(?:LOCAL\s|CONSTRAINTS\b))"
)
"""How a statement begins. In capitals, as they are written here: "Update it" is a sentence."""


def _package(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


def foreign(tree: ast.AST, package: str) -> Iterator[str]:
    """Statements that are loaded from elsewhere than `package`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        where = node.args[0]
        if name == "statements":
            own = isinstance(where, ast.Name) and where.id == "__package__"
            if not own and not (isinstance(where, ast.Constant) and where.value == package):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def sql(tree: ast.AST) -> Iterator[str]:
    """Texts that are statements, and loads of some."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _SQL.match(node.value):
                yield f"line {node.lineno}: {node.value[:40]!r}"
        elif isinstance(node, ast.ImportFrom) and node.module == "settings.statements":
            yield f"line {node.lineno}: it loads statements"


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_loads_its_own_sql_only(path: Path) -> None:
    package = _package(path)
    assert not list(foreign(ast.parse(path.read_text(encoding="utf-8")), package))


@pytest.mark.parametrize("room", SURFACES)
def test_a_surface_has_no_sql(room: str) -> None:
    assert not list((ROOT / "control" / room).rglob("*.sql"))
    for path in (ROOT / "control" / room).rglob("*.py"):
        assert not list(sql(ast.parse(path.read_text(encoding="utf-8")))), path
