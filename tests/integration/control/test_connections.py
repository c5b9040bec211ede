"""Connections of a control process: with the fewest there may be everything is done, with fewer
nothing begins, and who gets none is told so and waits for ever for nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from control.parts import Parts, open_parts
from control.problem import RefusedError
from control.store.pool import FEWEST, NoConnectionError
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, build, settings_for
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import add, api, core, host, token, until_right

__all__ = ["api", "core", "host", "token"]

WAIT = 1.0


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    url = await create_database("control", build)
    found = settings_for(url, valkey_url, pmta_apply_wait=3.0, pmta_keys="/etc/pmta/keys")
    database = msgspec.structs.replace(found.database, connections=FEWEST, timeout=WAIT)
    return msgspec.structs.replace(found, database=database)


@pytest.fixture
async def taken(core: Parts, host: Host) -> AsyncIterator[None]:
    """What accounting and the look for alerts hold, while the latter asks for another."""
    async with AsyncExitStack() as held:
        await held.enter_async_context(core.pool.acquire())
        await held.enter_async_context(core.pool.acquire())

        async def asks() -> None:
            while True:
                await core.pool.fetchval("SELECT pg_sleep(0.01)")

        task = asyncio.create_task(asks())
        yield
        task.cancel()
        await asyncio.wait([task])


async def test_an_offer_is_made_with_the_fewest_there_may_be(
    api: Api, host: Host, taken: None
) -> None:
    async with asyncio.timeout(10):
        status, answer = await add(api, "192.0.2.10", "acme.example")
    assert status == 201, answer
    assert host.running is not None
    assert "vmta-192-0-2-10" in host.running.known


async def test_who_gets_no_connection_is_told_and_nothing_was_changed(
    api: Api, core: Parts, host: Host
) -> None:
    before = await core.admin.number()
    await host.stop()
    async with AsyncExitStack() as held:
        for _ in range(FEWEST - 1):
            await held.enter_async_context(core.pool.acquire())
        # The change has the last one, and cannot offer anything.
        async with asyncio.timeout(10):
            status, answer = await add(api, "192.0.2.10", "acme.example")
        assert status == 503, answer
        assert (
            f"all {FEWEST} connections of this process to PostgreSQL were in use for 1 s"
            in (answer["detail"])
        )
        assert "database.connections" in answer["detail"]
        assert await core.admin.number() == before
        await held.enter_async_context(core.pool.acquire())
        with pytest.raises(NoConnectionError):
            await core.pool.fetchval("SELECT 1")
    host.start()
    assert (await add(api, "192.0.2.10", "acme.example"))[0] == 201
    await until_right(api)


@pytest.mark.parametrize("connections", [1, FEWEST - 1])
async def test_with_fewer_nothing_begins(settings: Settings, connections: int) -> None:
    database = msgspec.structs.replace(settings.database, connections=connections)
    few = msgspec.structs.replace(settings, database=database)
    with pytest.raises(RefusedError, match=rf"database\.connections: .* needs {FEWEST} at least"):
        async with open_parts(few):
            pass
