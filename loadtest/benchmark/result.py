"""What one case gave: every round of every target, and what the stack used meanwhile."""

import msgspec

from loadtest.benchmark.case import Case
from loadtest.benchmark.figures import Ratio, ratio

DIRECT, SENDGATE, BARE = "direct", "sendgate", "sendgate without headers"


class Result(msgspec.Struct):
    """Messages a second by target, in the order of rounds, in which all targets took turns."""

    case: Case
    series: dict[str, list[float]] = {}
    others: list[float] = []
    """Share of the machine's CPU time that others took, round by round."""
    cpu: dict[str, float] = {}
    """Process to seconds of CPU time for a message through Sendgate."""
    peak: dict[str, int] = {}
    """Process to the highest resident memory, in octets."""
    injector: float = 0.0
    """Seconds of CPU time our injector needs for a message; 0: smtp-source was the client."""

    def add(self, target: str, rate: float) -> None:
        """One more round."""
        self.series.setdefault(target, []).append(rate)

    def over(self, target: str) -> Ratio | None:
        """Sendgate beside a target; None when it was not measured."""
        base, figures = self.series.get(target), self.series.get(SENDGATE)
        return ratio(figures, base) if base and figures else None

    @property
    def direct(self) -> Ratio:
        """Sendgate as a share of direct."""
        found = self.over(DIRECT)
        assert found is not None, self.case.name
        return found
