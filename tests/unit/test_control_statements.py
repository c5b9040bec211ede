"""SQL by name: wrong files fail when they are loaded."""

import re
from pathlib import Path

import pytest

import control.store
from control.store.statements import StatementError, parse, statements

HERE = Path(control.store.__file__).parent


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "twice"),
        ("-- name: a\n-- only a comment\n", "empty"),
        ("-- name:\nSELECT 1", "not a statement name"),
        ("SELECT 1\n-- name: a\nSELECT 1", "before the first"),
    ],
)
def test_a_wrong_file_is_refused(text: str, why: str) -> None:
    with pytest.raises(StatementError, match=why):
        parse(text, "x.sql")


def test_a_missing_name_or_file_is_refused() -> None:
    with pytest.raises(StatementError, match="no statement nothing"):
        statements("tenant")["nothing"]
    with pytest.raises(StatementError, match=r"no nothing\.sql"):
        statements("nothing")


def test_every_file_loads_and_none_asks_the_server_for_the_time() -> None:
    files = sorted(HERE.glob("*.sql")) + sorted((HERE / "migrations" / "sql").glob("*.sql"))
    assert len(files) > 10
    clock = re.compile(r"\b(now\(|current_timestamp|current_date|clock_timestamp|localtime)", re.I)
    for file in files:
        if file.parent == HERE:
            assert statements(file.stem).names()
        assert not clock.search(file.read_text()), f"{file.name} reads the server's clock"
