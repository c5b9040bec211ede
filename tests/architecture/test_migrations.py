"""A migration says whether programs of before run behind it, and one that says yes only adds."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.repository import ROOT

FOLDER = ROOT / "control" / "store" / "migrations"
FIRST = "0078"
"""The first one of which an update may be gone back from."""
MORE = re.compile(
    r"\bDROP\s+(TABLE|COLUMN|FUNCTION|TYPE|VIEW)|\bRENAME\b|\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b"
    r"|\bSET\s+NOT\s+NULL|\bADD\s+(CONSTRAINT|CHECK|UNIQUE)|\bCREATE\s+UNIQUE\s+INDEX"
    r"|\bADD\s+(COLUMN\s+)?(?!CONSTRAINT)\w+(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT\s+NULL",
    re.IGNORECASE,
)
"""What a program that knows nothing of it stumbles over."""


def files() -> list[Path]:
    found = sorted((FOLDER / "versions").glob("[0-9]*.py"))
    return [file for file in found if file.name[:4] >= FIRST]


def more(text: str) -> list[str]:
    plain = "\n".join(line.partition("--")[0] for line in text.splitlines())
    return [found[0] for found in MORE.finditer(plain)]


def test_each_migration_says_whether_it_only_adds() -> None:
    for file in files():
        module = import_module(f"control.store.migrations.versions.{file.stem}")
        assert isinstance(getattr(module, "additive", None), bool), (
            f"{file.name}: `additive = True` where the version of before runs on the schema "
            "behind it (deploy/UPGRADING.md), else False"
        )


def test_what_only_adds_has_no_statement_that_does_more() -> None:
    for file in files():
        module = import_module(f"control.store.migrations.versions.{file.stem}")
        if module.additive:
            text = (FOLDER / "sql" / f"{file.stem}.sql").read_text("utf-8")
            assert more(text) == [], file.name


@pytest.mark.parametrize(
    ("statement", "adds"),
    [
        ("CREATE TABLE a (x text NOT NULL, y integer UNIQUE)", True),
        ("ALTER TABLE a ADD COLUMN b text", True),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT ''", True),
        ("CREATE INDEX i ON a (b)", True),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL", False),
        ("ALTER TABLE a DROP COLUMN b", False),
        ("ALTER TABLE a RENAME b TO c", False),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint", False),
        ("ALTER TABLE a ALTER b SET NOT NULL", False),
        ("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)", False),
        ("CREATE UNIQUE INDEX i ON a (b)", False),
        ("DROP TABLE a", False),
    ],
)
def test_statements_that_do_more_are_known(statement: str, adds: bool) -> None:
    assert (more(statement) == []) is adds
