"""Control, the agent's process and PowerMTA's command together: what a plan names is in force there
before it is published, over refusals, kills and hands."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from control.parts import Parts
from control.pmta.fileset import MAIN
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.agents import Agent, MakeAgent
from tests.support.control.core import TOKEN, Api, Command, build, settings_for
from tests.support.control.pmtaservers import add, api, core, standing, until_right
from tests.support.control.shipped import until
from tests.support.pmta.double import Pmta

__all__ = ["api", "core"]

PATH = "/api/v2/powermta"


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    """PowerMTA's command is a process each time: on a busy machine that takes a while."""
    url = await create_database("control", build)
    return settings_for(url, valkey_url, pmta_apply_wait=12.0, pmta_keys="/etc/pmta/keys")


@pytest.fixture
async def agent(api: Api, core: Parts, make_agent: MakeAgent, pmta: Pmta, tmp_path: Path) -> Agent:
    """By which pmta1 runs the plan."""
    (tmp_path / "acct").mkdir()
    made = make_agent(
        api.url,
        tmp_path / "acct" / "acct.csv",
        pmta=str(pmta.command),
        configuration=str(tmp_path / "sendgate"),
        group="",
        status_every=1,
        verify_wait=1.0,
        offer_wait=5,
    )
    made.start(module="control.agent.applying")

    async def asks() -> bool:
        _status, found = await api("GET", f"{PATH}/standing")
        return bool(found)

    await until(asks)
    await core.publisher.reconcile()
    await until_right(api)
    return made


@pytest.fixture
def command(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    return Command(api, capsys)


async def test_a_change_is_in_force_at_powermta_and_one_that_it_refuses_is_none(
    api: Api, core: Parts, agent: Agent, pmta: Pmta, tmp_path: Path
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    assert "<virtual-mta vmta-192-0-2-10>" in pmta.running
    assert pmta.restart() == pmta.running
    keys = list((tmp_path / "sendgate").rglob("example.com.*.pem"))
    assert len(keys) == 1
    assert "PRIVATE KEY" in keys[0].read_text()
    ran, number = pmta.running, await core.admin.number()
    pmta.put("refused.json", {"test config": "Error in line 7 of /etc/pmta/config: no"})
    for _ in range(2):
        status, refused = await add(api, "192.0.2.11", "two.example")
        assert (status, "Error in line 7" in refused["detail"]) == (409, True), refused
        assert "`pmta test config`" in refused["detail"]
    pmta.put("refused.json", {})
    assert (pmta.running, await core.admin.number()) == (ran, number)
    await until_right(api)
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 201
    assert "<virtual-mta vmta-192-0-2-11>" in pmta.restart()


async def test_the_same_refusal_again_is_heard_of_again(
    api: Api, core: Parts, agent: Agent, pmta: Pmta, command: Command
) -> None:
    """A rate that PowerMTA refuses waits for nobody; who then applies it by hand hears why."""
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    pmta.put("refused.json", {"test config": "Error in line 9: no"})
    assert (await api("PATCH", "/api/v2/ips/192.0.2.10", {"quota": 7}))[0] == 200

    async def failed() -> bool:
        return (await standing(api))["state"] == "failed"

    await until(failed)
    status, refused = await api("POST", f"{PATH}/apply", {})
    assert (status, "Error in line 9: no" in refused["detail"]) == (409, True)  # type: ignore[index]
    pmta.put("refused.json", {})
    assert "runs version" in await command("pmta", "apply")
    await until_right(api)


async def test_an_agent_killed_in_a_reload_leaves_one_whole_version(
    api: Api, core: Parts, agent: Agent, pmta: Pmta
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    ran = pmta.running
    pmta.put("gates.json", ["before reload"])
    asked = asyncio.create_task(add(api, "192.0.2.11", "two.example"))
    await pmta.at("before reload")
    agent.kill()
    status, refused = await asked
    assert (status, "control.pmta_apply_wait" in refused["detail"]) == (503, True)
    pmta.put("gates.json", [])
    agent.start(module="control.agent.applying")
    await until_right(api)
    assert "vmta-192-0-2-11" not in pmta.running
    assert "<virtual-mta vmta-192-0-2-10>" in pmta.restart()
    assert ran.count("<virtual-mta") == pmta.running.count("<virtual-mta")
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 201


async def test_a_hand_in_the_files_is_told_and_overwritten_when_asked(
    api: Api, core: Parts, agent: Agent, pmta: Pmta, tmp_path: Path, command: Command
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    main = tmp_path / "sendgate" / MAIN
    main.write_text(main.read_text() + "# mine\n")

    async def told() -> Any:
        return (await standing(api))["state"] == "changed"

    await until(told)
    assert MAIN in await command("pmta", "status", code=1)
    status, refused = await add(api, "192.0.2.11", "two.example")
    assert (status, "changed by hand" in refused["detail"]) == (409, True)
    assert "# mine" in main.read_text()
    assert (await api("PATCH", "/api/v2/ips/192.0.2.10", {"state": "pause"}))[0] == 200
    await command("pmta", "apply", "--overwrite")
    assert "# mine" not in main.read_text()
    await until_right(api)
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 201


async def test_an_older_version_comes_back_with_its_keys(
    api: Api, core: Parts, agent: Agent, pmta: Pmta, command: Command
) -> None:
    for domain, quota in (("example.com", 5), ("two.example", None)):
        assert (await add(api, "192.0.2.10", domain, quota=quota))[0] == 201
    with_two = (await standing(api))["running"]
    assert (await api("DELETE", "/api/v2/domains/two.example?reason=x"))[0] == 200
    await until_right(api)
    assert "two.example" not in pmta.running
    await command("pmta", "rollback", str(with_two))
    assert "two.example" in pmta.restart()
