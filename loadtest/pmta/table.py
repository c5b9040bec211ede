"""The table of directives: `directives.csv`, read once, when a configuration is first checked.

Its places, forms and defaults are the PowerMTA v5.0 User's Guide's, each with its section there.
What a form's words mean is in `forms.py`.
"""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

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
    """Every row, in the guide's order within a place."""
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(line for line in file if not line.startswith("#"))
        return tuple(
            Row(**{**line, "places": tuple(line["places"].split())})  # type: ignore[arg-type]
            for line in lines
        )


@cache
def table() -> dict[str, dict[str, Row]]:
    """Place (`global`, or a tag) to what may stand there: a directive's name or `<tag>`."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows():
        for place in row.places:
            found.setdefault(place, {})[row.name] = row
    return found


@cache
def places(name: str) -> tuple[str, ...]:
    """Where `name` may stand; empty: nowhere."""
    return tuple(place for row in rows() if row.name == name for place in row.places)


def shown(place: str) -> str:
    """`place` as an operator writes it."""
    return "the global part" if place == GLOBAL else f"<{place}>"
