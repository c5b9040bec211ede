"""Mistakes in the use of a command: exit code 2."""

import math
from typing import Any

import typer

# typer has carried click inside itself since 0.26: this is the name both layouts share.
UsageError: Any = typer.BadParameter.__base__


def misused(text: str) -> Exception:
    """The line contradicts itself or lacks something; no server was asked."""
    found: Exception = UsageError(text)
    return found


def finite(option: str, number: float | None) -> float | None:
    """The number, unless it is none: JSON has no NaN, and would drop it without a word."""
    if number is not None and not math.isfinite(number):
        raise misused(f"{option}: {number} is not a number that can be used")
    return number


def one_of(option: str, given: str | None, *allowed: str) -> None:
    """Raises a usage error for a word that is not among those allowed; None was not given."""
    if given is not None and given not in allowed:
        raise misused(f"{option}: {given!r} is neither {' nor '.join(allowed)}")
