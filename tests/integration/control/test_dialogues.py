"""What an operator is told: how many, why it stays all the same, what lets it go, when."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from control.cli.main import run
from control.ledger.clock import ClockMove
from control.ledger.status import CLOSED
from control.parts import Parts
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
from tests.support.hold.held import hold
from tests.support.ledger.loss import scene

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
REQUESTS = "/api/v2/hold/requests"


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        assert (await opened("POST", "/api/v2/tenants", ACME))[0] == 201
        yield opened


async def notes(api: Api, path: str, body: object = None) -> str:
    """What a change or an order is answered with, besides."""
    status, found = await api("POST", path, body)
    assert status in (200, 201, 202), found
    assert isinstance(found, dict)
    return "; ".join(found["notes"])


async def test_a_pause_says_how_many_it_stops_and_what_lets_them_go(api: Api, core: Parts) -> None:
    for name in ("one", "two"):
        await hold(core.pool, name)
    assert "2 held messages and all new mail wait until `sendgate tenant resume acme`" in (
        await notes(api, "/api/v2/tenants/acme/pause")
    )
    assert "2 held messages go on" in await notes(api, "/api/v2/tenants/acme/resume")
    assert "2 held messages and all new mail wait until `sendgate pool resume acme`" in (
        await notes(api, "/api/v2/pools/acme/pause")
    )
    await core.pool.execute("UPDATE held SET paused = true WHERE id = 'one'")
    order = {"action": "pause", "tenant": "acme"}
    assert "1 are paused already" in await notes(api, REQUESTS, order)


async def test_a_release_leaves_what_was_paused_by_hand(api: Api, core: Parts) -> None:
    await hold(core.pool, "one")
    await core.pool.execute("UPDATE held SET paused = true WHERE id = 'one'")
    said = await notes(api, REQUESTS, {"action": "release", "message": "one"})
    assert said == (
        "1 are paused by hand and stay: `sendgate hold resume`, with the same options, lets them go"
    )


async def test_what_stays_after_a_release_is_said_with_what_lets_it_go(
    api: Api, core: Parts
) -> None:
    await hold(core.pool, "one")
    await hold(core.pool, "other", campaign="camp02")
    await notes(api, REQUESTS, {"action": "pause", "tenant": "acme", "campaign": "camp01"})
    for action in ("release", "resume"):
        said = await notes(api, REQUESTS, {"action": action, "message": "one"})
        assert said == (
            "1 stay all the same: campaign camp01 is paused; `sendgate hold resume --tenant acme "
            "--campaign camp01` lets them go"
        )
        assert await notes(api, REQUESTS, {"action": action, "message": "other"}) == ""
    resumed = {"action": "resume", "tenant": "acme", "campaign": "camp01"}
    assert "stay all the same" not in await notes(api, REQUESTS, resumed)
    await notes(api, "/api/v2/tenants/acme/pause")
    said = await notes(api, REQUESTS, {"action": "release", "tenant": "acme"})
    assert said.startswith("2 stay all the same: tenant acme is paused; `sendgate tenant resume")


async def test_a_time_that_is_over_is_no_next_time(core: Parts, command: Command) -> None:
    now, _ = await core.admin.now()
    await hold(core.pool, "past", until=now - 90_000)
    assert "next release now" in await command("hold", "list")
    shown = await command("hold", "list", "--messages")
    assert "ip_quota" in shown
    assert "until" not in shown
    _, found = await command.api("GET", "/api/v2/hold")
    assert isinstance(found, dict)
    assert found["all"]["next"] >= found["now"][:19]
    assert "that ended " in await command("explain", "--message", "past")
    await core.pool.execute("UPDATE held SET until = $1", now + 3_600_000)
    assert "until 20" in await command("hold", "list", "--messages")
    assert "next release 20" in await command("hold", "list")


async def test_the_second_domain_of_a_pool_is_told_whom_it_shares_with(api: Api) -> None:
    first = {"tenant": "acme", "domain": "one.example", "ip": "192.0.2.10", "quota": 5}
    assert "shares" not in await notes(api, "/api/v2/domains", first)
    second = {**first, "domain": "two.example", "ip": "192.0.2.11"}
    said = await notes(api, "/api/v2/domains", second)
    assert "two.example shares pool acme with one.example" in said
    alone = {**first, "domain": "three.example", "ip": "192.0.2.12", "pool": "acme-three"}
    assert "shares" not in await notes(api, "/api/v2/domains", alone)


async def test_a_second_new_domain_within_a_week_is_told_of(api: Api, core: Parts) -> None:
    first = {"tenant": "acme", "domain": "one.example", "ip": "192.0.2.10"}
    assert "within this week" not in await notes(api, "/api/v2/domains", first)
    second = {**first, "domain": "two.example", "ip": "192.0.2.11"}
    assert "one.example was added within this week" in await notes(api, "/api/v2/domains", second)
    await core.clock.move(ClockMove(advance="8d"))
    third = {**first, "domain": "three.example", "ip": "192.0.2.12"}
    assert "within this week" not in await notes(api, "/api/v2/domains", third)


async def test_a_message_nobody_knows_is_exit_1(command: Command) -> None:
    await command("explain", "--message", "message0009", code=1)
    await command("hold", "show", "message0009", code=1)


async def test_the_clock_is_not_turned_back_and_says_why(command: Command) -> None:
    for step in ("-1d", "-90m"):
        said = await command("clock", "advance", step, code=2)
        assert f"{step}: the clock cannot go back" in said


async def test_times_are_written_in_one_form(api: Api, core: Parts) -> None:
    await hold(core.pool, "one")
    await notes(api, REQUESTS, {"action": "pause", "tenant": "acme"})
    _, clock = await api("GET", "/api/v2/clock")
    _, requests = await api("GET", REQUESTS)
    _, held = await api("GET", "/api/v2/hold")
    found: Any = (clock["now"], requests[0]["at"], held["now"], held["all"]["oldest"])  # type: ignore[index,call-overload]
    for time in found:
        assert len(time) == len("2026-03-01T00:00:00Z"), time
        assert time.endswith("Z")


@pytest.mark.parametrize("octets", [b"\xff", b"sgt_\xe9", "sgt_ü".encode()])
async def test_a_raw_octet_in_a_token_is_no_valid_token(api: Api, octets: bytes) -> None:
    host, _, port = api.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /api/v2/ips HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Authorization: Bearer " + octets + b"\r\n\r\n"
    )
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401 "), answer[:200]


def test_a_configuration_that_is_not_there_ends_every_command_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "nowhere.toml")
    for words in (
        ["check"],
        ["migrate"],
        ["control"],
        ["token", "list"],
        ["restore", "--yes"],
        ["up", "--data-dir", str(tmp_path / "data")],
    ):
        assert run([*words, "--config", missing]) == 2, words
        assert missing in capsys.readouterr().err, words


async def test_closed_ips_are_said_to_be_closed_and_not_used_up(
    create_database: CreateDatabase,
    valkey_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    settings = settings_for(await create_database("control", build), valkey_url)
    async with scene(settings) as here, api_of(here.core) as api:
        command = Command(api, capsys)
        await here.lose()
        await here.attend()
        said = await command(
            "explain", *("--tenant", "acme", "--from", "a@acme.example"), "--to", "x@gmail.com"
        )
        assert f"192.0.2.10 is {CLOSED}" in said
        assert "to change that: `sendgate ledger open --yes`" in said
        assert "raise the quota" not in said
        for words in (("ip", "list"), ("ip", "show", "192.0.2.10"), ("quota",)):
            assert f"192.0.2.10 is {CLOSED}; `sendgate ledger open --yes`" in await command(*words)
        await hold(here.core.pool, "one", until=await here.now() + 60_000)
        assert f"192.0.2.10: {CLOSED}" in await command("explain", "--message", "one")
        await here.opening.open_again("ops", "nothing went")
        assert CLOSED not in await command("ip", "list")
        assert CLOSED not in await command("explain", "--message", "one")
