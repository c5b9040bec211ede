"""Every hazard has a test that exists (tests/faults/HAZARDS.md)."""

import ast
import re
from pathlib import Path

from tests.support.repository import ROOT, nodes_of

LIST = ROOT / "tests" / "faults" / "HAZARDS.md"

ROW = re.compile(r"^\| (\d+)\. .*? \| (.*) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def _rows() -> dict[int, list[tuple[str, str]]]:
    found = ROW.findall(LIST.read_text(encoding="utf-8"))
    assert len({number for number, _ in found}) == len(found), "a hazard is listed twice"
    return {int(number): TEST.findall(tests) for number, tests in found}


def _functions(path: str) -> set[str]:
    return {
        n.name
        for n in nodes_of(Path(path))
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_hazard_names_a_test() -> None:
    rows = _rows()
    assert set(rows) == set(range(1, 20))
    assert not [number for number, tests in rows.items() if not tests]


def test_every_named_test_exists() -> None:
    named = {test for tests in _rows().values() for test in tests}
    missing = [f"{p}::{name}" for p, name in sorted(named) if name not in _functions(p)]
    assert not missing
