"""A control plane whose PowerMTA servers have agents, and what tests ask of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from control.sources import domain as domains
from control.sources.domain import NewDomain
from control.store.change import Act
from control.users.token import new_token, put
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, api_of, build, control_core, settings_for
from tests.support.control.pmtahost import Host


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    url = await create_database("control", build)
    return settings_for(url, valkey_url, pmta_apply_wait=3.0, pmta_keys="/etc/pmta/keys")


@pytest.fixture
async def core(settings: Settings) -> AsyncIterator[Parts]:
    async with control_core(settings) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        new = {"name": "acme", "login": "acme", "password": "correct horse"}
        assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
        yield opened


@pytest.fixture
async def token(core: Parts) -> str:
    """An agent's."""
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, "host1", made, "agent")

    await core.publisher.change("test", act)
    return made


@pytest.fixture
async def host(api: Api, core: Parts, token: str) -> AsyncIterator[Host]:
    """pmta1's, which runs what the plan says."""
    made = Host(api, token)
    assert await made.fetch() is None
    await made.say()
    await core.publisher.reconcile()
    assert await made.once() is not None
    made.start()
    yield made
    await made.stop()


async def add(api: Api, ip: str, domain: str, **more: Any) -> tuple[int, Any]:
    body = {"tenant": "acme", "domain": domain, "ip": ip, "quota": 5, **more}
    body = {name: value for name, value in body.items() if value is not None}
    return await api("POST", "/api/v2/domains", body)


async def added(core: Parts, ip: str, domain: str) -> Any:
    """The same, in this process: raises what its change raises."""
    new = NewDomain(tenant="acme", domain=domain, ip=ip, quota=5)

    async def act(a: Act) -> str:
        return await domains.add(a, new, seal=core.seal, warmup=core.settings.warmup)

    return await core.publisher.change("test", act)


async def standing(api: Api, server: str = "pmta1") -> dict[str, Any]:
    status, found = await api("GET", f"/api/v2/powermta/standing?server={server}")
    assert status == 200, found
    [one] = found  # type: ignore[misc]
    return dict(one)  # type: ignore[call-overload]


async def versions(api: Api) -> list[Any]:
    status, found = await api("GET", "/api/v2/powermta/versions?server=pmta1")
    assert status == 200
    assert isinstance(found, list)
    return found


async def until_right(api: Api, server: str = "pmta1") -> None:
    async with asyncio.timeout(10):
        while not (await standing(api, server))["right"]:
            await asyncio.sleep(0.02)
