"""Control, its agent and PowerMTA together: what a plan names, PowerMTA runs before."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from control.parts import Parts
from control.pmta.fileset import MAIN
from control.store.change import Act
from control.users.token import new_token, put
from tests.conftest import CreateDatabase
from tests.integration.agent.conftest import MakeFollower
from tests.support.control.agents import Agent
from tests.support.control.core import Api, build, control_core, settings_for
from tests.support.control.pmtaservers import api
from tests.support.pmta.double import Pmta

__all__ = ["api"]


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, pmta_apply_wait=20.0, pmta_keys="/etc/pmta/keys")
    async with control_core(settings) as opened:
        yield opened


async def standing(api: Api) -> dict[str, Any]:
    _, found = await api("GET", "/api/v2/powermta/standing?server=pmta1")
    assert isinstance(found, list)
    return dict(found[0]) if found else {}


async def until_right(api: Api) -> None:
    async with asyncio.timeout(30):
        while not (await standing(api)).get("right"):
            await asyncio.sleep(0.05)


@pytest.fixture
async def agent(api: Api, core: Parts, make_follower: MakeFollower) -> Agent:
    """Of pmta1, by which it runs what the plan says."""
    made = make_follower(url=api.url)
    token = new_token()

    async def act(a: Act) -> None:
        await put(a, "host1", token, "agent")

    await core.publisher.change("test", act)
    (made.folder / "token").write_text(token)
    made.start(module="control.agent.applying")
    async with asyncio.timeout(30):
        while not await standing(api):
            await asyncio.sleep(0.05)
    await core.publisher.reconcile()
    await until_right(api)
    return made


async def add(api: Api, ip: str, domain: str) -> tuple[int, Any]:
    body = {"tenant": "acme", "domain": domain, "ip": ip, "quota": 5}
    return await api("POST", "/api/v2/domains", body)


async def test_powermta_runs_what_is_added_before_it_is_answered_or_nothing_is_changed(
    api: Api, core: Parts, agent: Agent, pmta: Pmta, tmp_path: Path
) -> None:
    status, added = await add(api, "192.0.2.10", "example.com")
    assert status == 201, added
    assert "<virtual-mta vmta-192-0-2-10>" in pmta.running
    assert "domain-key" in pmta.running
    assert pmta.restart() == pmta.running
    ran, number = pmta.running, await core.admin.number()
    # PowerMTA refuses: the plan is as it was, PowerMTA too.
    pmta.put("refused.json", {"test config": "Error in line 7 of /etc/pmta/config: no"})
    status, refused = await add(api, "192.0.2.11", "two.example")
    assert status == 409
    assert "Error in line 7 of /etc/pmta/config: no" in refused["detail"]
    assert await core.admin.number() == number
    pmta.put("refused.json", {})
    await until_right(api)
    assert (pmta.running, pmta.restart()) == (ran, ran)
    # A file changed by hand is left alone, until somebody asks for it.
    main = tmp_path / "sendgate" / MAIN
    main.write_text(main.read_text() + "# mine\n")
    status, refused = await add(api, "192.0.2.11", "two.example")
    assert (status, main.read_text()[-7:]) == (409, "# mine\n")
    assert "changed by hand" in refused["detail"]
    status, answer = await api(
        "POST", "/api/v2/powermta/apply", {"server": "pmta1", "overwrite": True}
    )
    assert status in (200, 202), answer
    await until_right(api)
    assert "# mine" not in main.read_text()
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 201
    assert "<virtual-mta vmta-192-0-2-11>" in pmta.restart()
    # Killed while PowerMTA loads: the next one goes on where it was.
    pmta.put("gates.json", ["before reload"])
    adding = asyncio.create_task(add(api, "192.0.2.12", "three.example"))
    await pmta.at("before reload")
    agent.kill()
    pmta.put("gates.json", [])
    agent.start(module="control.agent.applying")
    assert (await adding)[0] == 201
    await until_right(api)
    assert "<virtual-mta vmta-192-0-2-12>" in pmta.restart()
    assert await agent.stop() == 0
    assert "Traceback" not in agent.said
