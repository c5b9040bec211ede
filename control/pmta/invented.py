"""Directives that configurations hold and PowerMTA's guide does not have: `invented.csv`.

Rule: it explains what `directive.why_not` objects to, and judges nothing itself. What is only
unlisted is kept apart from what was invented: PowerMTA may well take it.
"""

import csv
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("invented.csv")
ANYWHERE = "*"
INVENTED, REMOVED, UNLISTED = "invented", "removed", "unlisted"


class Invented(NamedTuple):
    """A directive, or a way to write one, that is not in the guide."""

    name: str
    places: tuple[str, ...]
    argument: str
    """A regular expression; '': whatever the argument is."""
    status: str
    instead: str
    """What is written in its place; '': it is left out."""
    why: str

    def meets(self, place: str, name: str, argument: str) -> bool:
        """Whether it is this one, in any case of letters."""
        return (
            fnmatchcase(name.lower(), self.name)
            and (place.lower() in self.places or ANYWHERE in self.places)
            and (
                not self.argument
                or re.fullmatch(self.argument, argument.strip(), re.IGNORECASE) is not None
            )
        )


@cache
def inventions() -> tuple[Invented, ...]:
    """All of them."""
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(line for line in file if not line.startswith("#"))
        next(lines)
        return tuple(Invented(name, tuple(places.split()), *rest) for name, places, *rest in lines)


def invented(place: str, name: str, argument: str) -> Invented | None:
    """What is known of a directive, or of `<tag>`, that is not in the guide; None: nothing."""
    return next((known for known in inventions() if known.meets(place, name, argument)), None)
