"""Migrations are one chain: two of one number, landed side by side, would stop every database."""

import re

from tests.support.repository import ROOT

FOLDER = ROOT / "control" / "store" / "migrations"


def test_migrations_are_one_chain() -> None:
    chain = []
    for path in sorted((FOLDER / "versions").glob("0*.py")):
        found = dict(re.findall(r'^(revision|down_revision) = "?(\w+)"?$', path.read_text(), re.M))
        assert path.name.startswith(found["revision"]), path.name
        assert f'run("{path.stem}.sql")' in path.read_text(), path.name
        assert (FOLDER / "sql" / f"{path.stem}.sql").exists(), path.name
        chain.append((found["down_revision"], found["revision"]))
    numbers = [f"{number:04}" for number in range(1, len(chain) + 1)]
    assert chain == list(zip(["None", *numbers], numbers, strict=False))
    assert len(list((FOLDER / "sql").glob("*.sql"))) == len(chain)
