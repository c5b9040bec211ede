"""Two tables of PowerMTA's directives, of the generator and of the stand-in: one contract.

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
LATER = "2020"
"""The section of what only a later edition of the guide has."""


class Meaning(NamedTuple):
    """What a table says of a name in one place."""

    form: str
    default: str
    repeats: str
    instead: str
    section: str


Table = dict[tuple[str, str], Meaning]


def read(text: str) -> Table:
    """(name, place) to meaning."""
    lines = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    assert next(lines) == COLUMNS
    return {
        (name, place): Meaning(*meaning)
        for name, places, *meaning in lines
        for place in places.split()
    }


def contradictions(ours: Table, guide: Table) -> list[str]:
    """What the generator's table says that the guide's does not."""
    found = []
    for (name, place), meaning in ours.items():
        said = guide.get((name, place))
        if said is None and meaning.section != LATER:
            found.append(f"{name} in {place}: the guide's table does not have it there")
        elif said is not None:
            found += [
                f"{name} in {place}: {column} {mine!r}, the guide's {theirs!r}"
                for column, mine, theirs in zip(Meaning._fields, meaning, said, strict=True)
                if mine != theirs
            ]
    return found


def test_the_tables_do_not_contradict_each_other() -> None:
    ours, guide = read(OURS.read_text()), read(GUIDE.read_text())
    missing = guide.keys() - ours.keys()
    print(f"only in {OURS.relative_to(ROOT)}:")
    print(*(f"  {name} in {place}" for name, place in sorted(ours.keys() - guide.keys())), sep="\n")
    print(f"places only in {GUIDE.relative_to(ROOT)}, of names both have:")
    both = {name for name, _ in ours} & {name for name, _ in guide}
    print(*(f"  {name} in {place}" for name, place in sorted(missing) if name in both), sep="\n")
    print(f"names only in {GUIDE.relative_to(ROOT)}:")
    print(" ", *sorted({name for name, _ in missing} - both))
    assert len(ours) > 80
    assert not contradictions(ours, guide)


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
