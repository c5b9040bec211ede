"""What may be written into a PowerMTA configuration: `directives.csv`, and a check against it.

Rule: names, places and forms are PowerMTA's; a line that is not in the table is a mistake of ours,
or a value that PowerMTA would read otherwise, and is found before anything is handed over. What is
imported is judged by the same table. Columns are described in loadtest/README.md; what a form's
words mean is in `form.py`.
"""

import csv
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from control.pmta.form import form
from control.pmta.grammar.node import PATTERN

FILE = Path(__file__).with_name("directives.csv")
GLOBAL = "global"
"""The place outside of every block."""


class Row(NamedTuple):
    """A directive, or a block (`<tag>`), in the places where it means the same."""

    name: str
    places: tuple[str, ...]
    form: str
    default: str
    repeats: str
    instead: str
    section: str


@cache
def rows() -> tuple[Row, ...]:
    """The table. `section` is `2020` for what only that edition of the guide has, a version for
    what only earlier ones have; such a row may widen the form of another for the same place."""
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(line for line in file if not line.startswith("#"))
        next(lines)
        return tuple(Row(name, tuple(places.split()), *rest) for name, places, *rest in lines)


def allowed(place: str, name: str) -> tuple[Row, ...]:
    """The rows of a directive, or of `<tag>`, in a place, in any case of letters; (): none."""
    return _table().get((place.lower(), name.lower()), ())


@lru_cache(maxsize=65_536)
def why_not(place: str, name: str, argument: str) -> str:
    """Why PowerMTA would refuse a directive, or a block (`<tag>`), in a place; '': it would not."""
    found = allowed(place, name)
    if not found:
        only = " or ".join(_places().get(name.lower(), ()))
        about = f", only in {only}" if only else ": the guide does not have it"
        return f"{name} may not stand in {place}{about}"
    if any(form(row.form).fits(argument) for row in found):
        return ""
    expected = " or ".join(row.form or "empty" for row in found)
    return f"{argument.strip()!r} is not {expected} ({name})"


def problem(text: str) -> str | None:
    """The first line of a configuration that PowerMTA would refuse, and why; None: none is."""
    tags = [GLOBAL]
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole.partition("#")[0].strip()
        if line.startswith("</"):
            if line != f"</{tags.pop()}>" or not tags:
                return f"line {number}: {line} closes nothing"
        elif line:
            name, _, argument = line.partition(" ")
            if line.startswith("/"):
                name, argument = PATTERN, line
            elif line.startswith("<"):
                tag, _, argument = line[1:-1].partition(" ")
                name = f"<{tag}>"
            if why := why_not(tags[-1], name, argument):
                return f"line {number}: {why}"
            if line.startswith("<"):
                tags.append(tag)
    return None if tags == [GLOBAL] else f"<{tags[-1]}> is never closed"


@cache
def _table() -> dict[tuple[str, str], tuple[Row, ...]]:
    found: dict[tuple[str, str], tuple[Row, ...]] = {}
    for row in rows():
        for place in row.places:
            found[place, row.name] = (*found.get((place, row.name), ()), row)
    return found


@cache
def _places() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for place, name in _table():
        found[name] = (*found.get(name, ()), place)
    return found
