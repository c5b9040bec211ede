"""A list of mailboxes is read once, whatever its lines have alike."""

from collections.abc import Callable
from typing import Any

import pytest

from control.mailboxes import importing
from control.mailboxes.importing import COLUMNS, _read


def test_what_many_lines_say_is_understood_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def noted(column: str, read: Callable[[str], Any]) -> Callable[[str], Any]:
        def one(text: str) -> Any:
            asked.append((column, text))
            return read(text)

        return one

    cells = {column: noted(column, read) for column, read in importing._CELLS.items()}
    monkeypatch.setattr(importing, "_CELLS", cells)
    lines = [f"m{n}@news.example,{n % 2 + 5},20 40" for n in range(500)]
    found = _read("\n".join(["address,max,ramp", *lines]))
    limits = [pair for pair in asked if pair[0] != "address"]
    assert sorted(limits) == [("daily_max", "5"), ("daily_max", "6"), ("ramp", "20 40")]
    assert len(asked) == 503
    assert found.values["daily_max"] == [5, 6] * 250
    assert found.values["ramp"] == ["{20,40}"] * 500
    # A column that the list has not is as long as the others.
    assert {len(found.values[column]) for column in COLUMNS} == {500}
    assert set(found.values["per_hour"]) == {None}


def test_a_wrong_text_is_named_on_every_line_that_has_it() -> None:
    found = _read("max,address\nx,a@b.example\n7,c@b.example\nx,d@b.example\n1,2,3\n")
    assert [problem.field for problem in found.wrong] == ["line 2", "line 4", "line 5"]
    assert found.values["address"] == ["c@b.example"]
    assert found.values["daily_max"] == [7]
