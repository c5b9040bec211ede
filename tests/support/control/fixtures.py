"""A control plane and a client of its API, for every room that asks for them."""

from collections.abc import AsyncIterator

import pytest

from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, api_of, build, control_core, settings_for


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """With a token and one PowerMTA server."""
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """Of `core`, through real HTTP."""
    async with api_of(core) as opened:
        yield opened
