"""A control plane and a client of its API, for every room that asks for them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from control.parts import Parts
from settings.tasks import cancel
from tests.conftest import CreateDatabase
from tests.support.control.core import (
    TOKEN,
    Api,
    Command,
    api_of,
    build,
    control_core,
    settings_for,
)


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


@pytest.fixture
def command(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """`sendgate` against `api`, as an operator whose token is in the environment."""
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    return Command(api, capsys)


@pytest.fixture
def sendgate(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """On control's host: with its database."""
    monkeypatch.setenv("DATABASE_URL", core.settings.database.url)
    monkeypatch.setenv("REDIS_URL", core.settings.ledger.url)
    return Command(api, capsys)


@pytest.fixture
async def working(core: Parts) -> AsyncIterator[None]:
    """The inbox is taken in."""
    task = asyncio.create_task(core.intake.inbox.run())
    yield
    await cancel([task])
