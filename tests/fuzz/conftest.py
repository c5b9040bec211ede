"""Registers the long run: ``pytest tests/fuzz --hypothesis-profile=soak``; production's loop."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from tests.fuzz.budget import SOAK

__all__ = ["SOAK"]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One for all examples of a module."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        yield loop
