"""An IP gets another host name, and another PowerMTA server once nothing is in the way."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.app import Parts
from policy.ledger_port import Reserve
from tests.integration.control.test_removal import ACME, DOMAIN, IP, audited
from tests.support.control.core import TOKEN, Api, Command, api_of
from tests.support.hold.held import hold


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        assert (await opened("POST", "/api/v2/tenants", ACME))[0] == 201
        assert (await opened("POST", "/api/v2/domains", {**DOMAIN, "hourly_share": 1.0}))[0] == 201
        second = {"name": "pmta2", "addresses": [{"host": "pmta2.internal", "port": 25}]}
        assert (await opened("POST", "/api/v2/servers", second))[0] in (200, 201)
        yield opened


async def config(api: Api) -> str:
    text = (await api("GET", "/api/v2/powermta/config"))[1]
    assert isinstance(text, str)
    return text


async def test_the_host_name_of_an_ip_is_changed_where_it_is_its_own(api: Api, core: Parts) -> None:
    other = {**DOMAIN, "ip": "192.0.2.11", "server": "pmta1"}
    assert (await api("POST", "/api/v2/domains", other))[0] == 201
    for host, why in (
        ("mta2.acme.example", "is the name of IP 192.0.2.11 already"),
        ("mta_9.acme.example", "letters, digits and hyphens"),
        ("mta", "is not a host name"),
    ):
        status, refused = await api("PATCH", IP, {"host_name": host})
        assert (status, refused["errors"][0]["field"]) == (400, "host_name"), host
        assert why in refused["detail"]
    status, dry = await api("PATCH", f"{IP}?dry_run=1", {"host_name": "Out1.acme.example"})
    assert (status, dry["view"]["host_name"]) == (200, "out1.acme.example")
    assert "out1.acme.example" not in await config(api)
    status, done = await api("PATCH", IP, {"host_name": "out1.acme.example", "reason": "ptr"})
    assert status == 200
    assert any("PTR" in note and "mta1.acme.example" in note for note in done["notes"])
    assert "192.0.2.10 out1.acme.example" in await config(api)
    assert "mta1.acme.example" not in await config(api)
    row = await audited(core, "ip.set")
    assert (row["before"], row["after"], row["reason"]) == (
        {"host_name": "mta1.acme.example"},
        {"host_name": "out1.acme.example"},
        "ptr",
    )
    _, again = await api("PATCH", IP, {"host_name": "out1.acme.example"})
    assert not again["changed"]


async def to_server(api: Api, query: str = "", server: str = "pmta2") -> tuple[int, Any]:
    return await api("POST", f"{IP}/server{query}", {"server": server, "reason": "new rack"})


async def why_not(api: Api, query: str = "") -> list[str]:
    status, refused = await to_server(api, query)
    assert status == 409, refused
    return [e["detail"] for e in refused.get("errors", [])] or [refused["detail"]]


async def test_an_ip_moves_to_another_server_once_it_is_stopped_and_nothing_is_queued(
    api: Api, core: Parts
) -> None:
    assert (await to_server(api, server="pmta9"))[0] == 404
    assert not (await to_server(api, server="pmta1"))[1]["changed"]
    reserve = Reserve(tenant="acme", pool="acme", mailbox="", providers=(("gmail", 2),))
    await core.ledger.decide([reserve])
    await hold(core.pool, "m1", state="doubt", vmta="vmta-192-0-2-10")
    found = await why_not(api)
    assert len(found) == 3, found
    assert "it is active: `sendgate ip pause 192.0.2.10` first" in found[0]
    assert "in doubt" in found[1]
    assert "2 recipients went through IP 192.0.2.10" in found[2]
    # Nobody's word ends a doubt, or stops what still comes.
    assert len(await why_not(api, "?force=1")) == 2
    await core.pool.execute("UPDATE held SET state = 'done'")
    assert (await api("PATCH", IP, {"state": "pause"}))[0] == 200
    assert "may still have mail queued" in (await why_not(api))[0]
    assert (await api("GET", IP))[1]["server"] == "pmta1"
    status, done = await to_server(api, "?force=1")
    assert (status, done["view"]["server"], done["view"]["state"]) == (200, "pmta2", "paused")
    assert any("sendgate ip resume 192.0.2.10" in note for note in done["notes"])
    generation = await core.admin.current()
    assert generation is not None
    assert generation.vmta["vmta-192-0-2-10"].server == "pmta2"
    row = await audited(core, "ip.move_to_server")
    assert (row["before"], row["after"], row["reason"]) == (
        {"server": "pmta1"},
        {"server": "pmta2", "force": True},
        "new rack",
    )


async def test_the_commands(
    api: Api, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    command = Command(api, capsys)
    await command("ip", "set", "192.0.2.10", "--host", "out1.acme.example")
    assert (await api("GET", IP))[1]["host_name"] == "out1.acme.example"
    await command("ip", "pause", "192.0.2.10")
    assert "on server pmta2" in await command("ip", "relocate", "192.0.2.10", "--server", "2")
