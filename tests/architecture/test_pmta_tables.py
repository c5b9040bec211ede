"""Two tables of PowerMTA's directives, of the product and of the stand-in: one contract.

Neither may import the other, so each reads its own and judges by it. What only one of them has is
printed; what both have must be the same, and be judged the same.
"""

import csv
from typing import NamedTuple

import pytest

from tests.support.repository import ROOT

COLUMNS = ["name", "places", "form", "default", "repeats", "instead", "section"]
GUIDE = ROOT / "loadtest" / "pmta" / "directives.csv"
OURS = ROOT / "control" / "pmta" / "directives.csv"
ELSEWHERE = ("2020", "4.x")
"""The sections of what the guide of 1999-2019 does not have; it may widen a form of the guide's."""


class Meaning(NamedTuple):
    """What a table says of a name in one place."""

    form: str
    default: str
    repeats: str
    instead: str
    section: str


Table = dict[tuple[str, str], Meaning]


def read(text: str, *, elsewhere: bool = False) -> Table:
    """(name, place) to meaning; of the guide, or of what it does not have."""
    lines = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    assert next(lines) == COLUMNS
    found = [
        (name, place, Meaning(*meaning))
        for name, places, *meaning in lines
        for place in places.split()
        if (meaning[-1] in ELSEWHERE) == elsewhere
    ]
    assert len(found) == len({(name, place) for name, place, _ in found}), "a row twice"
    return {(name, place): meaning for name, place, meaning in found}


def contradictions(ours: Table, guide: Table) -> list[str]:
    """What the product's table says that the guide's does not."""
    found = []
    for (name, place), meaning in ours.items():
        said = guide.get((name, place))
        if said is None:
            found.append(f"{name} in {place}: the guide's table does not have it there")
        else:
            found += [
                f"{name} in {place}: {column} {mine!r}, the guide's {theirs!r}"
                for column, mine, theirs in zip(Meaning._fields, meaning, said, strict=True)
                if mine != theirs
            ]
    return found


def test_the_tables_do_not_contradict_each_other() -> None:
    ours, guide = read(OURS.read_text()), read(GUIDE.read_text())
    print(f"only in {OURS.relative_to(ROOT)}:")
    elsewhere = read(OURS.read_text(), elsewhere=True)
    print(
        *(f"  {name} in {place}: {of.section}" for (name, place), of in elsewhere.items()), sep="\n"
    )
    assert not contradictions(ours, guide)


def test_both_tables_have_the_whole_guide() -> None:
    ours, guide = read(OURS.read_text()), read(GUIDE.read_text())
    assert guide.keys() - ours.keys() == set()
    assert len(guide) > 400


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("max-msg-rate,domain,", "max-msg-rate,domain virtual-mta,", "does not have it there"),
        ("smtp-source-host,global", "smtp-source-ip,global", "does not have it there"),
        (",CIDR HOST,", ",HOST CIDR,", "form 'HOST CIDR'"),
        ("sync,acct-file,BOOLEAN,false", "sync,acct-file,BOOLEAN,true", "default 'true'"),
        ("3.3.11.15", "3.3.11.51", "section '3.3.11.51'"),
    ],
)
def test_a_contradiction_is_found(good: str, bad: str, says: str) -> None:
    text = OURS.read_text()
    assert good in text
    found = contradictions(read(text.replace(good, bad)), read(GUIDE.read_text()))
    assert found
    assert all(says in line for line in found)
