"""A DKIM key is replaced in stages: what signs is always in DNS, by two real name servers that have
to agree and a PowerMTA that has to take it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from control.ledger.clock import ClockMove
from control.parts import Parts, open_parts
from control.pmta.dkim import KEY_BITS, Seal
from control.published.asking import Servers
from control.rotation.looking import RotationLook
from control.rotation.stages import switch
from control.sources.domain import GivenKey, NewDomain, add
from control.store.change import Act
from settings.dns import Dns
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
from tests.support.pmta.monitor import web_monitor
from tests.support.servers.nsd import Nsd, needs_nsd, nsd, whole

pytestmark = needs_nsd

DOMAIN = "news.example"
URL = f"/api/v2/domains/{DOMAIN}"


class Scene:
    """Two resolvers, a PowerMTA with its folder of keys, and a control node."""

    def __init__(self, core: Parts, api: Api, servers: list[Nsd], monitor: "Monitor") -> None:
        self.core = core
        self.api = api
        self.servers = servers
        self.monitor = monitor
        self.lines: dict[str, str] = {}

    async def view(self) -> Any:
        status, found = await self.api("GET", URL)
        assert status == 200
        return found

    async def rotate(self, code: int = 201, **body: object) -> Any:
        status, found = await self.api("POST", f"{URL}/rotation", body)
        assert status == code, found
        return found

    async def publish(self, *servers: Nsd, hidden: str = "") -> None:
        """All DKIM records that the domain's view has, but for those of a selector."""
        records = [r for r in (await self.view())["records"] if "_domainkey" in r["name"]]
        lines = []
        for record in records:
            if hidden and record["name"].startswith(f"{hidden}."):
                continue
            value = record["value"]
            lines.append(f'{record["name"]}. IN TXT "{value[:200]}" "{value[200:]}"')
        for server in servers or self.servers:
            await asyncio.to_thread(server.put, DOMAIN, whole(DOMAIN, "\n".join(lines)))

    async def look(self, core: Parts | None = None) -> str:
        return await look_of(core or self.core)()

    async def pass_(self, time: str) -> None:
        await self.core.clock.move(ClockMove(advance=time))

    async def alerts(self, key: str = f"dkim:{DOMAIN}") -> list[str]:
        rows = await self.core.pool.fetch(
            "SELECT what FROM alert WHERE key LIKE $1 || '%' AND absent IS NULL", key
        )
        return [row["what"] for row in rows]

    async def audited(self) -> list[str]:
        rows = await self.core.pool.fetch(
            "SELECT action FROM audit_log WHERE action LIKE 'domain.rotate%' ORDER BY id"
        )
        return [row["action"] for row in rows]

    def signs(self) -> set[str]:
        """Selectors that PowerMTA signs with."""
        text = Path(self.core.settings.control.pmta_config).read_text()
        return set(re.findall(r"domain-key ([^,]+),", text))

    def files(self) -> set[str]:
        folder = Path(self.core.settings.control.pmta_keys)
        return {file.name for file in folder.glob("*.pem")}

    async def until_gone(self, *cores: Parts) -> None:
        """The former key's file: where a busy ledger did not say at once that no gateway is late,
        it goes with control's next comparison, as here."""
        async with asyncio.timeout(60):
            while self.files() != {f"{DOMAIN}.new1.pem"}:
                for core in cores or (self.core,):
                    await core.publisher.reconcile()


def look_of(core: Parts) -> RotationLook:
    return RotationLook(
        *(core.pool, core.publisher, Servers(core.settings.dns), core.settings.dns),
        core.calendar,
        signs=bool(core.settings.control.pmta_keys),
        over_after=0,
    )


class Monitor:
    """PowerMTA's web monitor."""

    def __init__(self) -> None:
        self.status = 200

    async def command(self, _: web.Request) -> web.Response:
        return web.Response(status=self.status, text="" if self.status == 200 else "it is ill")


@pytest.fixture
async def settings(
    create_database: CreateDatabase, valkey_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Settings, list[Nsd], Monitor]]:
    monitor = Monitor()
    (tmp_path / "keys").mkdir()
    async with web_monitor(monitor.command) as url:
        made = settings_for(
            await create_database("control", build),
            valkey_url,
            pmta_config=str(tmp_path / "pmta.conf"),
            pmta_reload_url=url,
            pmta_keys=str(tmp_path / "keys"),
        )
        async with AsyncExitStack() as stack:
            zones = {DOMAIN: whole(DOMAIN, "")}
            servers = [stack.enter_context(nsd(tmp_path / name, zones)) for name in "ab"]
            dns = Dns(nameservers=tuple(one.address for one in servers), timeout=0.6)
            yield msgspec.structs.replace(made, dns=dns), servers, monitor


@asynccontextmanager
async def scene_of(settings: tuple[Settings, list[Nsd], Monitor]) -> AsyncIterator[Scene]:
    async with control_core(settings[0]) as core, api_of(core) as api:
        new = {"name": "acme", "login": "acme", "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        domain = {"tenant": "acme", "domain": DOMAIN, "ip": "192.0.2.10"}
        assert (await api("POST", "/api/v2/domains", domain))[0] == 201
        yield Scene(core, api, *settings[1:])


@pytest.fixture
async def here(settings: tuple[Settings, list[Nsd], Monitor]) -> AsyncIterator[Scene]:
    async with scene_of(settings) as scene:
        yield scene


async def seen(here: Scene) -> None:
    """The new key is in DNS, and was so for as long as it has to be."""
    await here.rotate(selector="new1")
    await here.publish()
    await here.look()
    await here.pass_("61m")


async def test_a_key_is_replaced_in_stages_and_what_signs_is_always_published(
    here: Scene,
) -> None:
    (old,) = here.signs()
    await here.publish()
    assert await here.look() == "keys being replaced: 0"
    made = await here.rotate(selector="New1")
    assert made["view"]["rotation"]["stage"] == "waiting"
    names = [r["name"] for r in made["view"]["records"] if "_domainkey" in r["name"]]
    assert names == [f"{old}._domainkey.{DOMAIN}", f"new1._domainkey.{DOMAIN}"]
    assert here.signs() == {old}

    await here.look()
    of = (await here.view())["rotation"]
    assert (of["stage"], of["said"].split(":")[0]) == ("waiting", "2 of 2 resolvers")
    await here.publish(here.servers[0])
    await here.look()
    await here.pass_("5h")
    await here.look()
    of = (await here.view())["rotation"]
    assert of["said"].startswith("1 of 2 resolvers: no key is published")
    assert here.signs() == {old}

    await here.publish()
    await here.look()
    assert (await here.view())["rotation"]["stage"] == "seen"
    await here.pass_("59m")
    await here.look()
    assert here.signs() == {old}
    await here.pass_("2m")
    assert f"{DOMAIN} signs with new1" in await here.look()
    assert here.signs() == {"new1"}
    assert here.files() == {f"{DOMAIN}.{one}.pem" for one in (old, "new1")}
    view = await here.view()
    assert (view["dkim_selector"], view["rotation"]["stage"]) == ("new1", "signing")
    assert view["rotation"]["selector"] == old
    found = (await here.api("GET", f"{URL}/check"))[1]
    keys = [f for f in found["findings"] if f["about"] == "DKIM"]  # type: ignore[index,call-overload]
    assert [one["verdict"] for one in keys] == ["ok", "ok"]

    await here.pass_("6d")
    await here.look()
    assert len(here.files()) == 2
    assert here.files() >= {f"{DOMAIN}.{old}.pem"}
    await here.pass_("25h")
    assert f"the former key {old} of {DOMAIN} is deleted" in await here.look()
    await here.until_gone()
    assert await here.core.pool.fetchval("SELECT count(*) FROM dkim_rotation") == 0
    assert (await here.view())["rotation"] is None
    (told,) = await here.alerts("dkim-former:")
    assert old in told
    assert await here.audited() == ["domain.rotate", "domain.rotate_switch", "domain.rotate_end"]
    assert here.signs() == {"new1"}


async def test_a_resolver_that_shows_another_record_begins_the_time_anew_and_a_silent_one_waits(
    here: Scene,
) -> None:
    (old,) = here.signs()
    await seen(here)
    await here.publish(here.servers[1], hidden="new1")
    await here.look()
    assert (await here.view())["rotation"]["stage"] == "waiting"
    await here.publish()
    await here.look()
    assert here.signs() == {old}
    since = (await here.view())["rotation"]["seen"]
    await here.pass_("61m")
    here.servers[1].end()
    await here.look()
    of = (await here.view())["rotation"]
    assert (of["stage"], of["seen"]) == ("seen", since)
    assert of["said"].startswith("1 of 2 resolvers: not known")
    assert here.signs() == {old}


async def test_what_is_not_seen_is_an_alert_and_never_switched(here: Scene) -> None:
    (old,) = here.signs()
    await here.rotate(selector="new1")
    await here.pass_("71h")
    await here.look()
    assert await here.alerts() == []
    await here.pass_("90d")
    await here.look()
    (what,) = await here.alerts()
    assert "new1" in what
    assert "no key is published" in what
    assert here.signs() == {old}
    status, done = await here.api("DELETE", f"{URL}/rotation?reason=later")
    assert (status, done["view"]["rotation"]) == (200, None)  # type: ignore[index,call-overload]
    await here.look()
    assert await here.alerts() == []
    assert await here.audited() == ["domain.rotate", "domain.rotate_cancel"]


async def test_two_nodes_and_restarts_at_every_stage_switch_once(
    settings: tuple[Settings, list[Nsd], Monitor],
) -> None:
    async with scene_of(settings) as here:
        await seen(here)
        before = await here.core.admin.number()
        async with open_parts(settings[0], movable_clock=True) as other:
            looks = [look_of(core)() for core in (here.core, other) for _ in range(3)]
            said = await asyncio.gather(*looks)
        assert sum("signs with new1" in text for text in said) == 1
        assert await here.core.admin.number() == before + 1
        await here.pass_("8d")
    # Another process, which knows nothing but the rows.
    async with open_parts(settings[0], movable_clock=True) as again, api_of(again) as api:
        here = Scene(again, api, *settings[1:])
        async with open_parts(settings[0], movable_clock=True) as other:
            looks = [look_of(core)() for core in (again, other) for _ in range(3)]
            said = await asyncio.gather(*looks)
            await here.until_gone(again, other)
        assert sum("is deleted" in text for text in said) == 1, said
        actions = await here.audited()
        assert actions == ["domain.rotate", "domain.rotate_switch", "domain.rotate_end"]
        assert here.signs() == {"new1"}
        assert await here.alerts() == []


async def test_a_powermta_that_refuses_keeps_the_former_key_signing(here: Scene) -> None:
    (old,) = here.signs()
    await seen(here)
    here.monitor.status = 400
    # As the calendar runs it.
    status, done = await here.api("POST", "/api/v2/jobs/dkim-rotation/run", {})
    assert (status, done["state"]) == (200, "done")  # type: ignore[index,call-overload]
    assert here.signs() == {old}
    assert (await here.view())["dkim_selector"] == old
    (what,) = await here.alerts()
    assert "cannot be replaced now" in what
    here.monitor.status = 200
    await here.look()
    assert here.signs() == {"new1"}
    assert await here.alerts() == []


async def test_what_contradicts_a_stage_is_refused_and_changes_nothing(here: Scene) -> None:
    (old,) = here.signs()
    rows = await here.core.pool.fetch("SELECT * FROM sending_domain")
    for body, code in (
        ({"selector": "a_b"}, 400),
        ({"selector": "x" * 64}, 400),
        ({"selector": ".".join(["y" * 60] * 4)}, 400),
        ({"selector": ""}, 400),
        ({"selector": old}, 409),
    ):
        await here.rotate(code, **body)
    for method, path in (("DELETE", "/rotation"), ("POST", "/rotation/finish")):
        assert (await here.api(method, URL + path))[0] == 409
    assert (await here.api("POST", "/api/v2/domains/nobody.example/rotation", {}))[0] == 404
    dry = (await here.api("POST", f"{URL}/rotation?dry_run=1", {}))[1]
    assert "made when it is begun" in str(dry)
    assert await here.core.pool.fetch("SELECT * FROM sending_domain") == rows
    assert await here.core.pool.fetchval("SELECT count(*) FROM dkim_rotation") == 0
    assert await here.audited() == []
    await here.rotate()
    waits = (await here.view())["rotation"]["selector"]
    # One that another look found gone meanwhile does not sign, whoever saw it before.
    done = await here.core.publisher.change("t", lambda a: switch(a, "acme", DOMAIN, waits))
    assert not done.result
    assert here.signs() == {old}
    assert "being replaced already" in (await here.rotate(409))["detail"]
    assert (await here.api("POST", f"{URL}/rotation/finish"))[0] == 409
    await here.api("DELETE", f"{URL}/rotation")
    await seen(here)
    await here.look()
    assert "signs with new1 already" in (await here.api("DELETE", f"{URL}/rotation"))[1]["detail"]  # type: ignore[index,call-overload]
    assert "stays until" in (await here.api("POST", f"{URL}/rotation/finish"))[1]["detail"]  # type: ignore[index,call-overload]
    # With the domain everything of it goes.
    assert (await here.api("DELETE", f"{URL}?force=1"))[0] == 200
    assert here.files() == set()


async def test_keys_stay_sealed_and_a_key_that_was_taken_over_is_replaced_alike(
    here: Scene,
) -> None:
    pem = Path(here.core.settings.control.pmta_keys) / next(iter(here.files()))
    key = Seal(here.core.settings.control.secret).taken("k", pem.read_text())

    async def act(a: Act) -> str:
        new = NewDomain(tenant="acme", domain="old.example", ip="192.0.2.11", pool="old")
        given = GivenKey("s2019", key)
        warmup = here.core.settings.warmup
        return await add(a, new, seal=here.core.seal, warmup=warmup, given=given)

    await here.core.publisher.change("t", act)
    status, made = await here.api("POST", "/api/v2/domains/old.example/rotation", {})
    assert status == 201
    assert re.fullmatch(r"sg\d{6}", made["view"]["rotation"]["selector"])  # type: ignore[index,call-overload]
    row = await here.core.pool.fetchrow("SELECT * FROM dkim_rotation")
    assert b"PRIVATE KEY" not in row["private"]
    opened = here.core.seal.open(row["private"])
    assert b"PRIVATE KEY" in opened
    assert here.core.seal.taken("n", opened.decode()).public == row["public"]
    assert len(row["public"]) > KEY_BITS / 8
    files = (await here.api("GET", "/api/v2/powermta/keys"))[1]
    assert f"old.example.{row['selector']}.pem" in {one["name"] for one in files}  # type: ignore[attr-defined]


async def test_where_the_configuration_is_carried_by_hand_somebody_ends_it(
    settings: tuple[Settings, list[Nsd], Monitor],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    control = msgspec.structs.replace(settings[0].control, pmta_reload_url="")
    given = (msgspec.structs.replace(settings[0], control=control), *settings[1:])
    async with scene_of(given) as here:
        command = Command(here.api, capsys)
        out = await command("domain", "rotate", DOMAIN, "--selector", "new1")
        assert f'new1._domainkey.{DOMAIN}. IN TXT "v=DKIM1; k=rsa; p=' in out
        assert "waiting: new1" in await command("domain", "list")
        await here.publish()
        await here.look()
        assert "the new key new1 is seen since" in await command("domain", "show", DOMAIN)
        await here.pass_("61m")
        await here.look()
        assert "DKIM: signs with new1 since" in await command("domain", "show", DOMAIN)
        await here.pass_("8d")
        await here.look()
        (what,) = await here.alerts()
        assert "carried to it by hand" in what
        assert len(here.files()) == 2
        await command("domain", "rotate", DOMAIN, "--finish", "--cancel", code=2)
        out = await command("domain", "rotate", DOMAIN, "--finish")
        assert "the former DKIM key is deleted" in out
        await here.look()
        assert await here.alerts() == []
        await here.until_gone()


async def test_where_nothing_is_signed_a_rotation_ends_by_itself(
    settings: tuple[Settings, list[Nsd], Monitor],
) -> None:
    control = msgspec.structs.replace(settings[0].control, pmta_reload_url="", pmta_keys="")
    given = (msgspec.structs.replace(settings[0], control=control), *settings[1:])
    async with scene_of(given) as here:
        await seen(here)
        assert "signs with new1" in await here.look()
        await here.pass_("8d")
        assert "is deleted" in await here.look()
        assert await here.alerts() == []
