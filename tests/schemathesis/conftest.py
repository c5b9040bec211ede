"""A control plane and a client of its API."""

from collections.abc import AsyncIterator

import pytest

from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.core import build, control_core, settings_for
from tests.support.control.fixtures import api

__all__ = ["api", "core"]


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """Who asks as PowerMTA's agent runs nothing: changes do not wait long for it."""
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url, pmta_apply_wait=1.0)) as opened:
        yield opened
