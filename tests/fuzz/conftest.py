"""Registers the long run: ``pytest tests/fuzz --hypothesis-profile=soak``."""

from tests.fuzz.budget import SOAK

__all__ = ["SOAK"]
