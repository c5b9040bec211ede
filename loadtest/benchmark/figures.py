"""Medians, spreads and percentiles of a few noisy rounds, and how a file has them. Rule: no figure
without its spread."""

import math
import statistics
from collections.abc import Sequence

import msgspec


class Ratio(msgspec.Struct, frozen=True):
    """How one series compares with another that was measured in turn with it."""

    value: float
    """Ratio of the medians."""
    spread: float
    """(Highest − lowest) of the rounds' own ratios, relative to their median; 0 for one round."""
    rounds: list[float]
    """The ratio of each round: both halves of it ran next to each other."""

    @property
    def low(self) -> float:
        return min(self.rounds)

    @property
    def high(self) -> float:
        return max(self.rounds)


def ratio(figures: Sequence[float], base: Sequence[float]) -> Ratio:
    """`figures` over `base`, round by round. Raises ValueError for unequal or no rounds."""
    if not figures or len(figures) != len(base):
        raise ValueError(f"{len(figures)} and {len(base)} rounds cannot be compared")
    rounds = [one / other for one, other in zip(figures, base, strict=True)]
    value = statistics.median(figures) / statistics.median(base)
    return Ratio(value, spread(rounds), rounds)


def spread(values: Sequence[float]) -> float:
    """(Highest − lowest) relative to the median."""
    return (max(values) - min(values)) / statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed: nearest rank, no interpolation,
    so that a tail is never averaged away. Raises ValueError without values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def encoded(figures: object) -> bytes:
    """A line for each, so that a change shows in a diff."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n"
