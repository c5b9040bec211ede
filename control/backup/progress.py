"""Who hears how far a backup has come."""

from collections.abc import Callable

Told = Callable[[int, int], None]
"""Octets done, octets in all."""


def unheard(_done: int, _of: int) -> None:
    """Nobody does."""
