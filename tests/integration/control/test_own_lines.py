"""Lines of the operator's own in the blocks of VirtualMTAs and pools: what may be there, by whom it
is said, and that a running configuration's go on in their block."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from control.cli.main import run
from control.parts import Parts
from tests.support.control.core import TOKEN, Api, api_of
from tests.support.repository import ROOT

PATH = "/api/v2/powermta/own"
CONFIGURATIONS = ROOT / "tests" / "data" / "powermta"


@pytest.fixture
async def api(core: Parts, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    async with api_of(core) as found:
        new = {"name": "acme", "login": "acme-smtp", "password": "p" * 24}
        domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10", "quota": 3}
        assert (await found("POST", "/api/v2/tenants", new))[0] == 201
        assert (await found("POST", "/api/v2/domains", domain))[0] == 201
        yield found


async def put(api: Api, lines: str, name: str = "vmta-192-0-2-10", **also: str) -> tuple[int, Any]:
    return await api("PUT", f"{PATH}/{name}", {"lines": lines, **also}, match="*")


async def test_they_are_kept_in_one_shape_and_audited(api: Api) -> None:
    assert (await api("GET", PATH)) == (200, [])
    status, answer = await put(
        api, "<domain a.example>\n\tmax-smtp-out  2 # slowly\n</domain>", reason="as before"
    )
    assert status == 200
    lines = "<domain a.example>\n    max-smtp-out 2 # slowly\n</domain>\n"
    own = {"name": "vmta-192-0-2-10", "tenant": "acme", "kind": "virtual-mta", "lines": lines}
    assert answer["view"] == own
    assert (await api("GET", PATH)) == (200, [own])
    assert (await api("GET", f"{PATH}/VMTA-192-0-2-10")) == (200, own)
    assert (await put(api, lines))[1]["changed"] is False
    _, audit = await api("GET", "/api/v2/audit?action=pmta.own")
    [entry] = audit["entries"]
    assert (entry["subject"], entry["reason"]) == ("vmta-192-0-2-10", "as before")
    assert (await put(api, ""))[0] == 200
    assert (await api("GET", PATH)) == (200, [])


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("smtp-source-host 192.0.2.9 a.example", "line 1: smtp-source-host is written by Sendgate"),
        ("\n\nhost-name a.example", "line 3: host-name is written by Sendgate itself"),
        ("domain-key a,b.example,/c.pem", "line 1: domain-key is written by Sendgate itself"),
        ("max-msg-rate 5/h", "line 1: max-msg-rate may not stand in virtual-mta, only in domain"),
        ("<domain a.example>\nrotate-period 1d\n</domain>", "line 2: rotate-period may not stand"),
        ("<domain a.example>", "line 1: '<domain>': it is never closed"),
        ("max-smtp-out many", "line 1: 'many' is not INTEGER"),
    ],
)
async def test_what_powermta_or_sendgate_would_not_have_changes_nothing(
    api: Api, lines: str, says: str
) -> None:
    status, answer = await put(api, lines)
    assert status == 409
    assert says in answer["detail"]
    assert answer["errors"][0]["field"] == "lines"
    assert (await api("GET", PATH)) == (200, [])


async def test_a_way_past_the_gateways_is_told(api: Api) -> None:
    _, answer = await put(api, "cold-virtual-mta other")
    assert any("where nothing counts it before" in note for note in answer["notes"])


async def test_a_virtual_mta_has_domains_of_one_pool_alone(api: Api, core: Parts) -> None:
    assert (await api("POST", "/api/v2/pools", {"tenant": "acme", "name": "second"}))[0] == 201
    await core.pool.execute(
        "INSERT INTO pool_member (tenant, pool, vmta) VALUES ('acme', 'second', 'vmta-192-0-2-10')"
    )
    lines = "<domain a.example>\n    max-smtp-out 2\n</domain>\n"
    assert (await put(api, lines, "second"))[0] == 200
    status, answer = await put(api, lines, "acme")
    assert status == 409
    assert "vmta-192-0-2-10 is in pool second, too, which has <domain> blocks" in answer["detail"]
    assert (await put(api, "max-smtp-out 2", "acme"))[0] == 200


async def test_who_asks_for_nobody_is_told(api: Api) -> None:
    assert (await put(api, "", "nobody"))[0] == 404
    assert (await api("GET", f"{PATH}/nobody"))[0] == 404


async def test_the_command_sets_shows_and_removes_them(
    api: Api, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def command(*words: str) -> str:
        code = await asyncio.to_thread(run, ["--url", api.url, "pmta", "own", *words])
        assert code == 0, capsys.readouterr()
        return capsys.readouterr().out

    file = tmp_path / "lines"
    file.write_text("max-smtp-out 2\n")
    assert "has lines of your own" in await command("list")
    assert "max-smtp-out 2" in await command("set", "acme", str(file), "--dry-run")
    assert "has lines of your own" in await command("list")
    await command("set", "acme", str(file), "--reason", "slowly")
    assert await command("show", "acme") == "max-smtp-out 2\n"
    assert "virtual-mta-pool" in await command("list")
    tag = json.loads(await command("--json", "show", "acme"))["tag"]
    await command("set", "acme", str(file), "--if-match", tag)
    file.write_text("max-smtp-out 4\n")
    await command("set", "acme", str(file), "--if-match", tag)
    code = await asyncio.to_thread(
        run, ["--url", api.url, "pmta", "own", "remove", "acme", "--if-match", tag]
    )
    assert (code, "read it again" in capsys.readouterr().err) == (1, True)
    await command("remove", "acme", "--if-match", "*")
    assert await command("show", "acme") == ""


async def test_they_stand_in_what_is_generated(api: Api, core: Parts) -> None:
    async def block() -> str:
        text = (await api("GET", "/api/v2/powermta/config"))[1]
        return text.split("<virtual-mta vmta-192-0-2-10>")[1].split("</virtual-mta>")[0]

    assert (await put(api, "<domain a.example>\nmax-smtp-out 2\n</domain>"))[0] == 200
    assert "    <domain a.example>\n        max-smtp-out 2\n    </domain>\n" in await block()
    assert (await put(api, "<domain a.example>\nmax-smtp-out 3\n</domain>"))[0] == 200
    assert "max-smtp-out 3" in await block()
    domain = {"tenant": "acme", "domain": "b.example", "ip": "192.0.2.11"}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    assert "max-smtp-out 3" in await block()
    assert (await put(api, ""))[0] == 200
    assert "a.example" not in await block()


async def test_a_running_configurations_lines_go_on_in_their_block(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(CONFIGURATIONS / "plain" / "config")
    words = ["pmta", "import", path, "--tenant", "customer", "--new-keys", "--yes"]
    assert await asyncio.to_thread(run, ["--url", api.url, *words]) == 0
    capsys.readouterr()
    _, found = await api("GET", PATH)
    kept = {one["name"]: one["lines"] for one in found}
    assert kept["acme2"] == (
        "<domain gmail.com>\n    # Slowly, since March.\n    max-msg-rate 100/h\n</domain>\n"
    )
    # What an operator changed since then stays.
    assert (await put(api, "max-smtp-out 2", "acme2"))[0] == 200
    assert await asyncio.to_thread(run, ["--url", api.url, *words]) == 0
    assert (await api("GET", f"{PATH}/acme2"))[1]["lines"] == "max-smtp-out 2\n"
