"""Whether a quick run is slower than the committed one, beyond what noise explains.

Rule: the *share of direct* is compared, never messages a second. A case has regressed when the
median of its rounds' shares is below

    baseline × (1 − tolerance),   tolerance = 3 × noise, but at least 25 % and at most 35 %

and three quarters of the rounds are below baseline × (1 − 25 %). Noise is the larger of the two
runs' standard errors of that median, taken from their rounds' spread. A case that fails gets as
many rounds again, twice at most, and all of them are judged together, so that a neighbour's burst
of work does not decide. The cap makes a loss of 40 % show where noise alone would excuse it;
the quartile lets a run pass in which rounds differ so much that a low median means little; the
floor leaves room for another machine than the baseline's.
Only calm rounds count, in which others took less than a quarter of the CPU time. With fewer than
three of them nothing is said of the case: on a busy machine the share itself is lower
(`loadtest.benchmark.neighbours`), which no spread shows.
A baseline from more cores than this machine has is not judged: client, gateway and sink share
cores there that they do not share here. With fewer, the run keeps to as many as the baseline had.
"""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadtest.benchmark.figures import encoded, percentile
from loadtest.benchmark.machine import Machine
from loadtest.benchmark.result import Result

FLOOR, CAP = 0.25, 0.35
CALM, ENOUGH = 0.25, 3
"""Most that others may take in a calm round; rounds that are needed."""
BASELINES = Path(__file__).parent.parent / "baselines"
FILE = BASELINES / "quick.json"


class Known(msgspec.Struct, frozen=True):
    """A case of the baseline: the shares of direct, round by round."""

    rounds: list[float]


class Baseline(msgspec.Struct, frozen=True):
    """The committed run."""

    machine: Machine
    cases: dict[str, Known]


class Verdict(msgspec.Struct, frozen=True):
    """One case beside the baseline."""

    case: str
    share: float
    baseline: float
    tolerance: float
    quartile: float
    """Three quarters of the rounds are not above it."""
    busy: bool = False
    """Too few calm rounds: the figures are of all rounds, and decide nothing."""

    @property
    def least(self) -> float:
        """The lowest share that passes."""
        return self.baseline * (1 - self.tolerance)

    @property
    def low(self) -> bool:
        """Slower beyond noise, by the rounds looked at."""
        return self.share < self.least and self.quartile < self.baseline * (1 - FLOOR)

    @property
    def regressed(self) -> bool:
        return self.low and not self.busy

    def __str__(self) -> str:
        word = ": REGRESSED" if self.regressed else ""
        if self.busy:
            word = ": NOT JUDGED, others used the machine"
        return (
            f"{self.case}: {self.share:.3f} of direct, baseline {self.baseline:.3f}, "
            f"at least {self.least:.3f} ({self.tolerance:.0%} tolerated){word}"
        )


def noise(rounds: Sequence[float]) -> float:
    """Relative standard error of the median of `rounds`; 0 for one round.

    From the median distance to the median, which one wild round does not move: 1.4826 makes a
    standard deviation of it, 1.2533/√n that of a median (both for normal noise)."""
    middle = statistics.median(rounds)
    deviation = 1.4826 * statistics.median(abs(value - middle) for value in rounds)
    return 1.2533 * deviation / math.sqrt(len(rounds)) / middle


def verdict(case: str, rounds: Sequence[float], known: Known) -> Verdict:
    """Judge one case."""
    tolerance = 3 * max(noise(rounds), noise(known.rounds))
    return Verdict(
        case=case,
        share=statistics.median(rounds),
        baseline=statistics.median(known.rounds),
        tolerance=min(CAP, max(FLOOR, tolerance)),
        quartile=percentile(rounds, 0.75),
    )


def judge(result: Result, baseline: Baseline) -> Verdict | None:
    """None: the baseline has no such case."""
    known = baseline.cases.get(result.case.name)
    if known is None:
        return None
    rounds, busy = calm(result)
    return msgspec.structs.replace(verdict(result.case.name, rounds, known), busy=busy)


def calm(result: Result) -> tuple[list[float], bool]:
    """The shares of the calm rounds; of all rounds, and True, when those are too few."""
    rounds = result.direct.rounds
    found = [share for share, others in zip(rounds, result.others, strict=True) if others < CALM]
    return (found, False) if len(found) >= ENOUGH else (rounds, True)


def load(file: Path) -> Baseline | None:
    """None when there is none. Raises msgspec.DecodeError."""
    return msgspec.json.decode(file.read_bytes(), type=Baseline) if file.exists() else None


def save(file: Path, machine: Machine, results: list[Result]) -> None:
    """Make `results` the baseline."""
    cases = {r.case.name: Known([round(share, 4) for share in calm(r)[0]]) for r in results}
    file.write_bytes(encoded(Baseline(machine, cases)))
