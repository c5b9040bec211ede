"""The table of problems: whatever is refused has a kind, and each kind is met somewhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from control import kinds
from control.kind import Kind
from control.kindof import BY_STATUS
from control.kinds import KINDS
from control.problem import FieldProblem, RefusedError, bad, in_the_way, taken

ROOT = Path(__file__).parents[2] / "control"
CONSTANTS = {value.name: name for name, value in vars(kinds).items() if isinstance(value, Kind)}
PASSED_ON = {
    "users/repeated.py: kind",
    "problem.py: self.kind",
    "problem.py: self.status",
    "takeover/taking.py: error.kind",
    "terminal/client.py: kind",
    "terminal/client.py: problem.status",
    "terminal/client.py: status",
    "api/problemschema.py: those[0]",
    "api/refused.py: kind",
    "api/refused.py: error.status",
    "warmup/taking.py: status",
}
"""Kinds and statuses that come from another refusal, or from an answer."""


def refusals() -> Iterator[tuple[str, ast.keyword]]:
    """(file, keyword) of each status or kind that a refusal is made with."""
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and re.search(
                r"(?:Error|__init__)$", ast.unparse(node.func)
            ):
                for word in node.keywords:
                    if word.arg in ("status", "kind"):
                        yield str(file.relative_to(ROOT)), word


def test_every_status_and_kind_in_code_is_in_the_table_and_each_of_the_table_in_code() -> None:
    met, passed = {"conflict"}, set()
    for file, word in refusals():
        said = ast.unparse(word.value)
        if isinstance(word.value, ast.Constant):
            assert word.value.value in BY_STATUS, f"{file}: status {said} has no kind"
            met.add(BY_STATUS[word.value.value].name)
        elif said.startswith("kinds."):
            met.add(getattr(kinds, said.removeprefix("kinds.")).name)
        else:
            passed.add(f"{file}: {said}")
    assert passed <= PASSED_ON, passed - PASSED_ON
    text = (ROOT / "api/refused.py").read_text(encoding="utf-8")
    met |= {name for name, constant in CONSTANTS.items() if f"(kinds.{constant}," in text}
    met |= {name for name, constant in CONSTANTS.items() if f"        kinds.{constant},\n" in text}
    assert met == set(KINDS), met ^ set(KINDS)


def test_the_table_is_whole() -> None:
    assert set(CONSTANTS) == set(KINDS)
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)
    for kind in KINDS.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.name)
        assert re.fullmatch(r"[A-Z].*[^.]", kind.title), kind
        assert re.fullmatch(r"[A-Z].*\.", kind.means), kind
        assert re.fullmatch(r"[a-z`].*[^.]", kind.fix), kind
    for status, kind in BY_STATUS.items():
        assert kind.status == status


@pytest.mark.parametrize(
    ("refused", "field", "fix"),
    [
        (bad("name", "is missing"), "name", "correct name as the detail says"),
        (taken("name", "is there"), "name", "choose another value for name, or"),
        (in_the_way("pool a", ["one", "two"]), "", "end what is named first"),
        (RefusedError("no", errors=[FieldProblem("a", ""), FieldProblem("b", "")]), "", "look at"),
        (RefusedError("no", field="X", fix="do this"), "X", "do this"),
        (RefusedError("no", status=400), "", "correct what the detail names as"),
        (RefusedError("no", status=502), "", "try again after"),
    ],
)
def test_a_refusal_names_the_field_and_what_to_do(
    refused: RefusedError, field: str, fix: str
) -> None:
    problem = refused.problem("id")
    assert (problem.field, problem.fix.startswith(fix)) == (field, True), problem
    assert problem.title == refused.kind.title
    assert problem.detail == refused.detail


def test_what_is_told_to_one_tenant_has_the_same_kind() -> None:
    refused = RefusedError("of acme", kind=kinds.BUSY, fix="ask acme", alone="of another").apart()
    assert (refused.kind, refused.detail) == (kinds.BUSY, "of another")
    assert "acme" not in refused.fix


def test_a_command_calls_the_field_as_its_option() -> None:
    refused = bad("name", "is wrong")
    refused.called = {"name": "--name"}
    assert refused.fix.startswith("correct --name as")
    assert refused.advice == ""
    assert taken("name", "is there").advice
    assert RefusedError("no", kind=kinds.CONFLICT).advice == ""
    assert RefusedError("no", kind=kinds.CONFLICT, fix="do this").advice == "do this"
