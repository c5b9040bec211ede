"""What `setup.py` compiles means the same compiled: mypyc drops some of Python without a word."""

import ast
from pathlib import Path

import pytest

from tests.support.repository import ROOT, nodes_of


def _compiled() -> list[str]:
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    lists = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPILED"
    ]
    return list(ast.literal_eval(lists[0]))


def test_the_list_is_sorted_and_names_files() -> None:
    names = _compiled()
    assert names == sorted(set(names))
    assert not [name for name in names if not (ROOT / name).is_file()]


@pytest.mark.parametrize("name", _compiled())
def test_no_class_takes_keywords(name: str) -> None:
    """`class Reply(msgspec.Struct, array_like=True)` would lose its `array_like`."""
    classes = [node for node in nodes_of(Path(name)) if isinstance(node, ast.ClassDef)]
    assert not [node.name for node in classes if node.keywords]


@pytest.mark.parametrize("name", _compiled())
def test_nothing_is_awaited_while_an_exception_is_handled(name: str) -> None:
    """In an `except` or `finally` that awaits, the exception would stay the event loop's own: every
    later one would have it as its context, and none would ever be freed."""
    tries = [node for node in nodes_of(Path(name)) if isinstance(node, ast.Try | ast.TryStar)]
    handling = [[*node.finalbody, *(s for h in node.handlers for s in h.body)] for node in tries]
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
    assert not [
        part.lineno
        for statements in handling
        for statement in statements
        for part in ast.walk(statement)
        if isinstance(part, waits)
    ]


@pytest.mark.parametrize("name", _compiled())
def test_only_timeouts_are_entered_asynchronously(name: str) -> None:
    """mypyc leaves `async with` from within a handler: where that waits, it is the same fault."""
    entered = [
        ast.unparse(item.context_expr).partition("(")[0]
        for node in nodes_of(Path(name))
        if isinstance(node, ast.AsyncWith)
        for item in node.items
    ]
    assert set(entered) <= {"asyncio.timeout", "asyncio.timeout_at"}
