"""What blocklists say of our IPs and domains, asked of a real rbldnsd: listings, lists that may not
be believed, silence and recovery."""

import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from control.ledger.clock import ClockMove
from control.parts import Parts
from settings.blocklists import Blocklists
from settings.model import Settings
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
from tests.support.servers.nsd import needs_nsd, nsd
from tests.support.servers.rbldnsd import Rbldnsd, needs_rbldnsd, rbldnsd

pytestmark = needs_rbldnsd

BAD, GOOD, SIX = "9.9.9.9", "8.8.4.4", "2620:fe::fe"
DOMAIN = "shop.acme-mail.net"
HOSTILE = "<script>\u202e$"
NONE = "127.0.0.2 :127.0.0.2:test\n"
BOTH = f"""\
$DATASET ip4set @
{NONE}{BAD} :127.0.0.4:{HOSTILE}
$DATASET ip6trie @
{SIX} :127.0.0.3:six
"""
LISTS = {
    "list.rbl": ("combined", BOTH),
    "errors.rbl": ("ip4trie", "0.0.0.0/0 :127.255.255.254:a public resolver\n"),
    "everybody.rbl": ("ip4trie", "0.0.0.0/0 :127.0.0.2:all of you\n"),
    "closed.rbl": ("ip4set", "192.0.2.77\n"),
    "elsewhere.rbl": ("ip4trie", "0.0.0.0/0 :10.0.0.1:park\n"),
    "names.rbl": ("dnset", f"test :127.0.1.2:test\n{DOMAIN} :127.0.1.2:low\n"),
}


class Scene:
    """A control node whose lists are `rbl`'s."""

    def __init__(self, core: Parts, api: Api) -> None:
        self.core = core
        self.api = api

    async def look(self) -> str:
        status, run = await self.api("POST", "/api/v2/jobs/blocklists/run")
        assert status == 200, run
        assert run["state"] == "done", run
        await self.core.clock.move(ClockMove(advance="1h"))
        return str(run["said"])

    async def answers(self, **query: str) -> dict[tuple[str, str], Any]:
        words = "&".join(f"{name}={value}" for name, value in query.items())
        status, found = await self.api("GET", f"/api/v2/blocklists?{words}")
        assert status == 200, found
        return {(one["subject"], one["zone"]): one for one in found}

    async def states(self, zone: str) -> dict[str, str]:
        return {key[0]: one["state"] for key, one in (await self.answers(zone=zone)).items()}

    async def alerts(self) -> dict[str, str]:
        rows = await self.core.pool.fetch(
            "SELECT key, what FROM alert WHERE source = 'blocklist' AND absent IS NULL"
        )
        return {row["key"]: row["what"] for row in rows}

    async def status(self, ip: str) -> str:
        status, found = await self.api("GET", f"/api/v2/ips/{ip}")
        assert status == 200
        return str(found["state"])


@pytest.fixture
async def made(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


def asking(made: Settings, server: str, *zones: str, **more: Any) -> Settings:
    domains = tuple(zone for zone in zones if zone.startswith("names"))
    asked: dict[str, Any] = {
        "zones": tuple(zone for zone in zones if zone not in domains),
        "domain_zones": domains,
        "nameservers": (server,),
        "timeout": 1.0,
    }
    return msgspec.structs.replace(made, blocklists=Blocklists(**(asked | more)))


async def scene_of(settings: Settings) -> AsyncIterator[Scene]:
    async with control_core(settings) as core, api_of(core) as api:
        if not await core.pool.fetchval("SELECT count(*) FROM tenant"):
            new = {"name": "acme", "login": "acme", "password": "correct horse"}
            assert (await api("POST", "/api/v2/tenants", new))[0] == 201
            for name, ip in (
                (DOMAIN, BAD),
                ("a.acme-mail.net", GOOD),
                ("b.acme-mail.net", SIX),
                ("c.example", "192.0.2.10"),
            ):
                domain = {"tenant": "acme", "domain": name, "ip": ip}
                assert (await api("POST", "/api/v2/domains", domain))[0] == 201
        yield Scene(core, api)


@pytest.fixture
def server() -> Any:
    with rbldnsd(LISTS) as started:
        yield started


async def test_listed_clean_and_not_known(made: Settings, server: Rbldnsd) -> None:
    zones = ("list.rbl", "errors.rbl", "everybody.rbl", "closed.rbl", "elsewhere.rbl")
    settings = asking(made, server.address, *zones, "nobody.rbl", "names.rbl")
    async for scene in scene_of(settings):
        said = await scene.look()
        assert said.startswith("3 IPs and 3 domains at 7 lists: 3 listings, 15 not known"), said
        assert await scene.states("list.rbl") == {BAD: "listed", GOOD: "clean", SIX: "listed"}
        # Nothing that may not be believed is a listing, and nothing of it is clean.
        for zone in (*zones[1:], "nobody.rbl"):
            assert set((await scene.states(zone)).values()) == {"unknown"}, zone
        # A documentation address and a reserved name are on no list, and asked for nowhere.
        answers = await scene.answers(limit="1000")
        assert not {subject for subject, _ in answers} & {"192.0.2.10", "c.example"}
        bad = answers[BAD, "list.rbl"]
        assert (bad["codes"], bad["said"]) == (["127.0.0.4"], f"<script>\u202e{BAD}")
        assert "127.255.255.254" in answers[BAD, "errors.rbl"]["trouble"]
        assert "it has everybody" in answers[BAD, "everybody.rbl"]["trouble"]
        assert "it is closed" in answers[BAD, "closed.rbl"]["trouble"]
        assert "10.0.0.1 is no answer" in answers[BAD, "elsewhere.rbl"]["trouble"]
        assert "REFUSED" in answers[BAD, "nobody.rbl"]["trouble"]
        assert answers[DOMAIN, "names.rbl"]["state"] == "listed"
        assert answers["a.acme-mail.net", "names.rbl"]["state"] == "clean"
        alerts = await scene.alerts()
        assert set(alerts) == {
            *(f"blocklist:{one}" for one in (BAD, SIX, DOMAIN)),
            *(f"blocklist:{zone}" for zone in (*zones[1:], "nobody.rbl")),
        }
        assert alerts[f"blocklist:{BAD}"] == f"{BAD} is on 1 blocklist: list.rbl 127.0.0.4"
        figures = (await scene.api("GET", "/metrics"))[1]
        lines = [one for one in figures.splitlines() if "blacklist_status{" in one]
        assert sorted(lines) == [
            f'email_engine_blacklist_status{{dnsbl="list.rbl",ip="{SIX}"}} 1.0',
            f'email_engine_blacklist_status{{dnsbl="list.rbl",ip="{GOOD}"}} 0.0',
            f'email_engine_blacklist_status{{dnsbl="list.rbl",ip="{BAD}"}} 1.0',
        ]


async def test_silence_ends_no_listing_and_an_answer_does(made: Settings) -> None:
    lists = {"list.rbl": LISTS["list.rbl"]}
    with rbldnsd(lists) as server:
        settings = asking(made, server.address, "list.rbl")
        async for scene in scene_of(settings):
            await scene.look()
            since = (await scene.answers())[BAD, "list.rbl"]["since"]
            server.end()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
                silent.bind(("127.0.0.1", server.port))
                await scene.look()
            one = (await scene.answers())[BAD, "list.rbl"]
            assert (one["state"], one["known"], one["since"]) == ("unknown", "listed", since)
            assert one["codes"] == ["127.0.0.4"]
            assert f"blocklist:{BAD}" in await scene.alerts()
            assert "blacklist_status{" not in (await scene.api("GET", "/metrics"))[1]
            clean = {"list.rbl": ("ip4set", NONE)}
            with rbldnsd(clean, server.port) as again:
                await scene.look()
                one = (await scene.answers())[BAD, "list.rbl"]
                assert (one["state"], one["known"], one["codes"]) == ("clean", "clean", [])
                assert one["since"] > since
                assert await scene.alerts() == {}
                listed = f"{NONE}{BAD}\n"
                again.put("list.rbl", listed, ".".join(reversed(BAD.split("."))), {"127.0.0.2"})
                await scene.look()
                assert f"blocklist:{BAD}" in await scene.alerts()


async def test_a_listing_pauses_once_where_that_is_asked_for(
    made: Settings, server: Rbldnsd
) -> None:
    settings = asking(made, server.address, "list.rbl", pausing=("list.rbl",))
    async for scene in scene_of(settings):
        said = await scene.look()
        assert f"{BAD} was paused, for list.rbl" in said
        assert await scene.status(BAD) == "paused"
        assert await scene.status(GOOD) != "paused"
        resumed = {"action": "resume", "reason": "we talked to them"}
        assert (await scene.api("POST", f"/api/v2/warmup/ips/{BAD}", resumed))[0] == 200
        await scene.look()
        # Who resumes it while the listing stands has the last word.
        assert await scene.status(BAD) != "paused"


@needs_nsd
async def test_a_failing_resolver_is_not_known(made: Settings, tmp_path: Any) -> None:
    with nsd(tmp_path / "nsd", {"list.rbl": ""}) as failing:
        async for scene in scene_of(asking(made, failing.address, "list.rbl")):
            await scene.look()
            assert set((await scene.states("list.rbl")).values()) == {"unknown"}
            trouble = (await scene.answers())[BAD, "list.rbl"]["trouble"]
            assert "SERVFAIL" in trouble


async def test_one_is_asked_about_now(made: Settings, server: Rbldnsd) -> None:
    async for scene in scene_of(asking(made, server.address, "list.rbl", "names.rbl")):
        for subject, states in ((BAD, ["listed"]), (GOOD, ["clean"]), (DOMAIN, ["listed"])):
            status, found = await scene.api("POST", f"/api/v2/blocklists/{subject}/check")
            assert (status, [one["state"] for one in found]) == (200, states)
        assert (await scene.api("POST", "/api/v2/blocklists/1.2.3.4/check"))[0] == 404
        status, found = await scene.api("POST", "/api/v2/blocklists/192.0.2.10/check")
        assert (status, "none of the Internet's" in str(found)) == (409, True)
        pages, after = [], ""
        while page := await scene.answers(limit="1", **({"after": after} if after else {})):
            pages += list(page)
            after = "@".join(pages[-1])
        assert pages == sorted(await scene.answers())
        assert len(pages) == 3


async def test_what_is_asked_no_more_is_forgotten(made: Settings, server: Rbldnsd) -> None:
    async for scene in scene_of(asking(made, server.address, "list.rbl")):
        await scene.look()
        assert (await scene.api("DELETE", f"/api/v2/domains/{DOMAIN}"))[0] == 200
        assert (await scene.api("PATCH", f"/api/v2/ips/{BAD}", {"state": "retire"}))[0] == 200
        status, found = await scene.api("DELETE", f"/api/v2/ips/{BAD}")
        assert status == 200, found
        await scene.look()
        assert set(await scene.states("list.rbl")) == {GOOD, SIX}
        assert f"blocklist:{BAD}" not in await scene.alerts()
    async for scene in scene_of(asking(made, server.address, "closed.rbl")):
        await scene.look()
        assert {zone for _, zone in await scene.answers()} == {"closed.rbl"}


async def test_the_command(
    made: Settings,
    server: Rbldnsd,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    async for scene in scene_of(asking(made, server.address, "list.rbl", "errors.rbl")):
        command = Command(scene.api, capsys)
        assert "every four hours" in await command("blocklist", "list")
        shown = await command("blocklist", "check", BAD, code=1)
        assert re.search(rf"{BAD} │ list.rbl +│ listed .* 127.0.0.4 ", shown), shown
        assert rf"<script>\u202e{BAD}" in shown
        assert re.search(rf"{BAD} │ errors.rbl │ unknown .*127.255.255.254", shown), shown
        assert "listed" not in await command("blocklist", "check", GOOD)
        found = msgspec.json.decode(await command("blocklist", "list", "--json"))
        assert {one["subject"] for one in found} == {BAD, GOOD}
        assert re.search(r"errors.rbl +│ ip +│ no", await command("blocklist", "zones"))
