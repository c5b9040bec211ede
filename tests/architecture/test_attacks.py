"""The runbook's table of attacks names tests that are there, and each attack once."""

import re

from tests.support.repository import ROOT, text_of

ROW = re.compile(
    r"^\| (?P<attack>.+?) \| .+ \| `(?P<file>tests/[\w/]+\.py)` `(?P<test>test_\w+)` \|$"
)


def test_each_attack_of_the_table_is_a_test() -> None:
    page = (ROOT / "deploy" / "runbook" / "attacks.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ")][1:]
    rows = [ROW.match(line) for line in lines]
    assert len(rows) > 15
    assert [line for line, row in zip(lines, rows, strict=True) if row is None] == []
    found = [row.groupdict() for row in rows if row is not None]
    assert len({row["attack"] for row in found}) == len(found)
    missing = [
        row["test"] for row in found if f"def {row['test']}(" not in text_of(ROOT / row["file"])
    ]
    assert missing == []
