"""Tests stand in rooms, and what they import from this repository is there.

Types of tests are not checked, and a commit is checked without running them all: a module that
moves would otherwise be missed by the tests that name it until these run.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tests.support.repository import PRODUCT, nodes_of, python_files

OURS = (*PRODUCT, "tests")


@cache
def _modules() -> dict[str, Path]:
    """Each of the repository, by its dotted name."""
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path
        for path in python_files(*OURS)
    }


@cache
def _names(module: str) -> frozenset[str]:
    """What a module binds, wherever in it, and the modules inside of it."""
    found = {m.rpartition(".")[2] for m in _modules() if m.rpartition(".")[0] == module}
    for node in nodes_of(_modules()[module]):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.Import() | ast.ImportFrom():
                found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return frozenset(found)


def missing(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """What this module imports from the repository and is not there."""
    for node in nodes:
        if isinstance(node, ast.Import):
            wanted = [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            wanted = [(node.module, tuple(alias.name for alias in node.names))]
        else:
            continue
        for module, names in wanted:
            if module.partition(".")[0] not in OURS:
                continue
            if module not in _modules():
                yield module
                continue
            yield from (f"{module}.{name}" for name in names if name not in _names(module))


def test_what_tests_import_is_there() -> None:
    found = [
        f"{path}: {what}" for path in python_files("tests") for what in missing(nodes_of(path))
    ]
    assert not found


def test_a_missing_module_and_a_missing_name_are_found() -> None:
    text = (
        "import policy.nowhere\nimport asyncio.nothing\nfrom tests.support import repository\n"
        "def f():\n    from policy.plan import Generation, Nothing\n"
    )
    assert list(missing(ast.walk(ast.parse(text)))) == ["policy.nowhere", "policy.plan.Nothing"]


def test_integration_tests_stand_in_rooms() -> None:
    """A folder a noun: what is listed in one is read in one look."""
    assert not [
        path
        for path in python_files("tests")
        if path.parent == Path("tests/integration") and path.name != "__init__.py"
    ]
