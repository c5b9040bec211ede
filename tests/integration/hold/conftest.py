"""A session of a test's own with the hold's database."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest


@pytest.fixture
async def link(hold_url: str) -> AsyncIterator[Any]:
    """An asyncpg connection to `hold_url`."""
    found = await asyncpg.connect(hold_url)
    yield found
    await found.close()
