"""What PowerMTA says of itself reaches whoever operates it: version, licence, queues, troubles."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from control.parts import Parts
from loadtest.pmta.double import LICENCE, STATUS
from tests.integration.agent.conftest import MakeFollower
from tests.support.control.agents import MakeAgent
from tests.support.control.core import TOKEN, Api, Command
from tests.support.control.shipped import Mail, all_there, until
from tests.support.pmta.double import Pmta
from tests.support.pmta.offering import Offering, offer_of

BUSY: dict[str, Any] = {
    **STATUS,
    "queue": {"smtp": {"rcp": 1234, "dom": 3, "kb": 9}},
    "conn": {"smtpIn": {"cur": 7, "max": 100, "top": 9}, "smtpOut": {"cur": 3, "max": 1200}},
}


async def told(api: Api) -> dict[str, Any]:
    status, found = await api("GET", "/api/v2/powermta/status")
    assert status == 200
    assert isinstance(found, list)
    return found[0] if found else {}


async def test_version_licence_and_queues_are_told_and_shown(
    core: Parts,
    api: Api,
    make_agent: MakeAgent,
    pmta: Pmta,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pmta.put("status.json", BUSY)
    (tmp_path / "acct").mkdir()
    path = tmp_path / "acct" / "acct.csv"
    agent = make_agent(api.url, path, pmta=str(pmta.command), status_every=1)
    agent.start()

    async def all_of_it() -> bool:
        return bool((await told(api)).get("told", {}).get("version"))

    await until(all_of_it)
    one = await told(api)
    assert (one["server"], one["agent"], one["troubles"]) == ("pmta1", "host1", [])
    assert one["told"] | {"problems": []} == {
        "version": "5.0r8",
        "licence_end": "never",
        "licence_units": None,
        "licence_unlimited": True,
        "queued": 1234,
        "spool_most": 500_000,
        "in_last_hour": 0,
        "out_last_hour": 0,
        "connections_in": 7,
        "connections_in_most": 100,
        "connections_out": 3,
        "connections_out_most": 1_200,
        "problems": [],
    }
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    assert "PowerMTA 5.0r8, licence to never, unlimited units" in await command("server", "told")
    assert "1234 recipients queued of 500000" in await command("server", "show", "pmta1")
    assert "5.0r8" in await command("server", "list")
    _, metrics = await api("GET", "/metrics")
    assert 'sendgate_pmta_queue_recipients{server="pmta1"} 1234.0' in str(metrics)
    assert 'sendgate_pmta_licence_expiry_timestamp_seconds{server="pmta1"} 0.0' in str(metrics)
    # A licence that ends, and a PowerMTA that does not run.
    soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 20 * 86_400))
    pmta.put("licence.json", LICENCE | {"expires": soon, "units": 50_000})

    async def ending() -> bool:
        return any("licence" in trouble for trouble in (await told(api))["troubles"])

    await until(ending)
    assert (await told(api))["told"]["licence_units"] == 50_000
    _, status = await api("GET", "/api/v2/status")
    assert f"PowerMTA's licence of pmta1 ends on {soon}" in str(status)
    pmta.put("down", "")

    async def down() -> bool:
        return "is it running" in str((await told(api))["troubles"])

    await until(down)


async def test_a_command_that_hangs_holds_up_nothing(
    core: Parts, api: Api, make_agent: MakeAgent, tmp_path: Path
) -> None:
    hanging = tmp_path / "pmta"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    mail = Mail(tmp_path / "acct")
    mail.write(20)
    agent = make_agent(api.url, mail.path, pmta=str(hanging), status_every=1)
    agent.start()
    await all_there(core, mail, within=10)
    assert await agent.stop() == 0
    mail.writer.close()


@pytest.fixture
async def monitor() -> AsyncIterator[str]:
    """PowerMTA's web monitor, as the guide has `/status?format=json`."""

    async def status(request: web.Request) -> web.Response:
        assert request.query_string == "format=json"
        if request.headers.get("X-API-Key") != "k" * 32:
            return web.Response(status=403)
        return web.json_response({"status": "success", "data": {"status": BUSY}})

    app = web.Application()
    app.router.add_get("/status", status)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("key", ["k" * 32, "wrong"])
async def test_the_web_monitor_tells_the_queues_too(
    core: Parts, api: Api, make_agent: MakeAgent, monitor: str, tmp_path: Path, key: str
) -> None:
    (tmp_path / "acct").mkdir()
    (tmp_path / "key").write_text(key + "\n")
    agent = make_agent(
        api.url,
        tmp_path / "acct" / "acct.csv",
        pmta="",
        monitor_url=monitor,
        monitor_key_file=str(tmp_path / "key"),
        status_every=1,
    )
    agent.start()

    async def there() -> bool:
        return bool(await told(api))

    await until(there)
    one = await told(api)
    if key == "wrong":
        assert one["troubles"] == [
            "PowerMTA of pmta1: its web monitor does not answer (403 Forbidden)"
        ]
    else:
        assert (one["told"]["queued"], one["troubles"]) == (1234, [])


async def test_a_report_of_a_server_that_is_not_there_is_refused(core: Parts, api: Api) -> None:
    body: dict[str, Any] = {"agent": "a", "agent_version": "1", "server": "nobody", "told": {}}
    path = "/api/v2/powermta/agent/status"
    assert (await api("POST", path, body))[0] == 404
    assert (await api("POST", path, body | {"server": "pmta1"}))[0] == 200
    assert (await api("POST", path, body | {"agent": ""}))[0] == 400
    assert (await api("POST", path, raw=b"{"))[0] == 400
    assert (await api("POST", path, body, token="sgt_x"))[0] == 401
    # An agent that has gone silent is something wrong.
    await core.pool.execute("UPDATE pmta_status SET at = at - 1000000")
    assert (await told(api))["troubles"] == ["the agent of pmta1 has said nothing for 16 minutes"]


async def test_accounting_is_shipped_on_while_a_reload_hangs(
    core: Parts, api: Api, make_follower: MakeFollower, pmta: Pmta, tmp_path: Path
) -> None:
    mail = Mail(tmp_path / "acct")
    async with Offering(onward=api.url) as offering:
        agent = make_follower(url=offering.url, path=mail.path)
        agent.start()
        await offering.running(await offering.offer(offer_of(1, "v1")))
        pmta.put("gates.json", ["before reload"])
        await offering.offer(offer_of(2, "v2"))
        await pmta.at("before reload")
        mail.write(20)
        await all_there(core, mail, within=10)
        assert max(said.tried for said in offering.said) == 1
        pmta.put("gates.json", [])
        await offering.running(offer_of(2, "v2"))
        assert await agent.stop() == 0
    mail.writer.close()
