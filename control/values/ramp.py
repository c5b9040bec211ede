"""Ramps as they are given."""

from collections.abc import Sequence
from itertools import pairwise


def falling(stages: Sequence[int]) -> str:
    """A warning of a ramp that falls: it may be meant, and mostly is not; empty: it does not."""
    for number, (one, next_) in enumerate(pairwise(stages), 1):
        if next_ < one:
            return (
                f"the ramp falls from {one} in stage {number} to {next_} in stage {number + 1}; "
                "is the order meant?"
            )
    return ""
