"""How much the tests of isolation asked, and what came of it: a line for each who."""

from dataclasses import dataclass, field


@dataclass
class Line:
    """Of one who asked."""

    who: str
    tenants: str
    """Whose things it asked for."""
    routes: set[tuple[str, str]] = field(default_factory=set)
    asked: int = 0
    answered: int = 0
    """What it may."""
    refused: int = 0
    """What it may not, or was told is not there."""


class Matrix:
    """All that one run asked."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], Line] = {}

    def count(self, who: str, tenants: str, route: tuple[str, str], *, refused: bool) -> None:
        """One question whose answer was as it has to be."""
        line = self._lines.setdefault((who, tenants), Line(who, tenants))
        line.routes.add(route)
        line.asked += 1
        line.refused += refused
        line.answered += not refused

    def table(self) -> str:
        """For people; empty where nothing was asked."""
        if not self._lines:
            return ""
        lines = sorted(self._lines.values(), key=lambda line: (line.tenants, line.who))
        every = set().union(*(line.routes for line in lines))
        people, owners = {line.who for line in lines}, {line.tenants for line in lines}
        sums = [sum(column) for column in zip(*map(_numbers, lines), strict=True)]
        said = [_row("who", "asks for what is of", "routes", *_SUMMED)]
        said += [_row(one.who, one.tenants, len(one.routes), *_numbers(one)) for one in lines]
        total = (
            f"{len(every)} routes × {len(people)} who ask × {len(owners)} whose: {sums[0]} asked, "
            f"{sums[1]} answered, {sums[2]} refused, 0 otherwise than the table of routes says"
        )
        return "\n".join([*said, total])


_SUMMED = ("asked", "answered", "refused")


def _numbers(one: Line) -> tuple[int, int, int]:
    return one.asked, one.answered, one.refused


def _row(who: str, whose: str, *numbers: object) -> str:
    return f"{who:<36} {whose:<20}" + "".join(f"{number:>9}" for number in numbers)
