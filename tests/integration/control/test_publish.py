"""A change is one transaction and one generation, or nothing at all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from redis.asyncio import Redis

from control.ledger.status import LedgerState
from control.parts import Parts, open_parts
from control.problem import RefusedError
from control.sources import domain, ip, removal
from control.sources.domain import NewDomain
from control.sources.ip import IpChange
from control.store.change import Act
from control.tenants import tenant
from control.tenants.tenant import NewTenant
from policy.ledger.admin import LedgerAdmin
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import all_rows, api_of, build, control_core, settings_for
from tests.support.pmta.monitor import web_monitor


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str, tmp_path: Path) -> Settings:
    url = await create_database("control", build)
    return settings_for(url, valkey_url, pmta_config=str(tmp_path / "sendgate.conf"))


@pytest.fixture
async def core(settings: Settings) -> AsyncIterator[Parts]:
    async with control_core(settings) as opened:
        yield opened


async def add_tenant(core: Parts, name: str = "acme") -> None:
    new = NewTenant(name=name, login=f"{name}-login", password="correct horse")
    await core.publisher.change("test", lambda act: tenant.add(act, new))


async def add_domain(core: Parts, new: NewDomain, *, dry: bool = False) -> Any:
    async def act(a: Act) -> str:
        return await domain.add(a, new, seal=core.seal, warmup=core.settings.warmup)

    return await core.publisher.change("test", act, dry=dry)


ONE = NewDomain(tenant="acme", domain="Example.com", ip="192.0.2.10", quota=5)


API_KEY = "k" * 32


async def everything(core: Parts) -> Any:
    rows = msgspec.to_builtins(await all_rows(core))
    audits = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    return rows, audits, await core.admin.number()


async def test_a_domain_comes_with_key_ip_vmta_pool_and_generation(core: Parts) -> None:
    await add_tenant(core)
    done = await add_domain(core, ONE)
    generation = await core.admin.current()
    assert generation is not None
    assert generation.number == done.generation
    assert generation.tenant["acme"].domains == {"example.com": "acme"}
    vmta = generation.vmta["vmta-192-0-2-10"]
    assert (vmta.daily, vmta.ceilings, vmta.host_name) == (5, {}, "mta1.example.com")
    sealed = await core.pool.fetchval("SELECT dkim_private FROM sending_domain")
    assert b"PRIVATE KEY" not in sealed
    assert b"PRIVATE KEY" in core.seal.open(sealed)
    assert "<virtual-mta vmta-192-0-2-10>" in Path(core.settings.control.pmta_config).read_text()


async def test_without_a_quota_the_default_plan_warms_the_ip(core: Parts) -> None:
    await add_tenant(core)
    await add_domain(core, NewDomain(tenant="acme", domain="a.example", ip="192.0.2.1"))
    generation = await core.admin.current()
    assert generation is not None
    assert generation.vmta["vmta-192-0-2-1"].daily == 50
    assert generation.vmta["vmta-192-0-2-1"].ceilings["microsoft"] == 20


async def test_a_second_domain_uses_the_tenants_ip_again(core: Parts) -> None:
    await add_tenant(core)
    await add_domain(core, ONE)
    await add_domain(core, NewDomain(tenant="acme", domain="two.example", ip="192.0.2.10"))
    generation = await core.admin.current()
    assert generation is not None
    assert len(generation.vmtas) == 1
    assert set(generation.tenant["acme"].domains) == {"example.com", "two.example"}


async def test_another_tenants_ip_and_pool_are_out_of_reach(core: Parts) -> None:
    await add_tenant(core)
    await add_tenant(core, "globex")
    await add_domain(core, ONE)
    before = await everything(core)
    for other in (
        NewDomain(tenant="globex", domain="g.example", ip="192.0.2.10"),
        NewDomain(tenant="globex", domain="g.example", ip="192.0.2.11", pool="acme"),
        NewDomain(tenant="globex", domain="g.example", ip="192.0.2.11", overflow="acme"),
    ):
        with pytest.raises(RefusedError):
            await add_domain(core, other)
    assert await everything(core) == before


async def test_a_dry_run_changes_nothing_and_finds_the_same_problems(core: Parts) -> None:
    await add_tenant(core)
    before = await everything(core)
    done = await add_domain(core, ONE, dry=True)
    assert done.dry
    assert done.generation == before[2] + 1
    assert await everything(core) == before


async def test_an_ip_without_a_number_stops_the_generation_and_is_named(core: Parts) -> None:
    await add_tenant(core)
    await add_domain(core, ONE)
    await core.pool.execute("UPDATE virtual_mta SET quota_source = NULL")
    before = await everything(core)
    with pytest.raises(RefusedError, match=r"192\.0\.2\.10"):
        await add_tenant(core, "globex")
    assert await everything(core) == before


async def test_with_the_ledger_away_a_change_is_refused_and_nothing_changes(
    core: Parts, settings: Settings
) -> None:
    before = await everything(core)
    admin = core.admin
    broken = LedgerAdmin(Redis(host="127.0.0.1", port=1))
    core.publisher._admin = broken
    with pytest.raises(RefusedError, match="the ledger does not answer"):
        await add_tenant(core)
    core.publisher._admin = admin
    assert await everything(core) == before


async def test_a_ledger_that_dies_between_compile_and_publish_leaves_the_rows(
    core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await everything(core)

    async def dies(*_: object, **__: object) -> int:
        raise ConnectionError("gone")

    monkeypatch.setattr(LedgerAdmin, "publish", dies)
    with pytest.raises(RefusedError, match="did not take the generation"):
        await add_tenant(core)
    assert await everything(core) == before


async def test_the_ledger_is_brought_back_to_what_the_rows_say(core: Parts) -> None:
    await add_tenant(core)
    number = await core.admin.number()
    assert await core.publisher.reconcile() is None
    generation = await core.admin.current()
    assert generation is not None
    stray = msgspec.structs.replace(generation, number=number + 1, tenants=(), pools=())
    await core.admin.publish(stray)
    assert await core.publisher.reconcile() == number + 2
    again = await core.admin.current()
    assert again is not None
    assert set(again.tenant) == {"acme"}


async def test_another_default_ladder_comes_into_force_with_the_next_change(
    settings: Settings,
) -> None:
    """As an upgrade that changes the default has it: no restart moves a quota by itself."""
    former = (50, 200, 800, 2_500, 5_000, 10_000)
    on_plan = NewDomain(tenant="acme", domain="example.com", ip="192.0.2.10")
    warmup = msgspec.structs.replace(settings.warmup, weeks=former)
    async with control_core(msgspec.structs.replace(settings, warmup=warmup)) as core:
        await add_tenant(core)
        await add_domain(core, on_plan)
        await core.publisher.change(
            "test",
            lambda act: ip.change(
                act, "192.0.2.10", IpChange(stage=4), warmup=core.settings.warmup
            ),
        )
    async with open_parts(settings) as core:
        await core.opening.open_first()
        assert await core.publisher.reconcile() is None
        assert await quota_of(core, "192.0.2.10") == 2_500
        await core.publisher.change("test", lambda act: tenant.set_paused(act, "acme", True))
        assert await quota_of(core, "192.0.2.10") == 1_500


async def quota_of(core: Parts, address: str) -> Any:
    generation = await core.admin.current()
    assert generation is not None
    return next(v.daily for v in generation.vmtas if v.ip == address)


async def test_a_late_worker_is_named(core: Parts) -> None:
    seconds = (await core.admin.client.time())[0]
    await core.admin.client.zadd(f"{core.admin.root}workers", {"node1:7": seconds})
    await core.admin.client.hset(f"{core.admin.root}running", "node1:7", 1)
    new = NewTenant(name="acme", login="l", password="correct horse")
    done = await core.publisher.change("test", lambda act: tenant.add(act, new))
    assert done.late == ["node1:7"]


async def test_powermta_knows_a_vmta_before_the_gateways_or_nothing_happens(
    create_database: CreateDatabase, valkey_url: str, tmp_path: Path
) -> None:
    answers: list[tuple[int, str]] = [(200, "Configuration reloaded.")]
    seen: list[int] = []
    commands: list[str] = []
    cores: list[Parts] = []

    async def command(request: web.Request) -> web.Response:
        assert request.headers["X-API-Key"] == API_KEY
        commands.append(str((await request.post())["command"]))
        if answers[0][0] != 200 and commands[-1] == "reload":
            raise AssertionError("a file that failed its test must not be loaded")
        seen.append(await cores[0].admin.number() if cores else 0)
        status, text = answers[0]
        return web.Response(status=status, text=text)

    file = tmp_path / "pmta.conf"
    async with web_monitor(command) as url:
        settings = settings_for(
            await create_database("control", build),
            valkey_url,
            pmta_config=str(file),
            pmta_reload_url=url,
            pmta_api_key=API_KEY,
        )
        async with control_core(settings) as core:
            cores.append(core)
            await add_tenant(core)
            await add_domain(core, ONE)
            assert seen[-1] == await core.admin.number() - 1
            before, text = await everything(core), file.read_text()
            reloads = len(seen)
            await core.publisher.change("t", lambda act: tenant.set_paused(act, "acme", True))
            assert len(seen) == reloads, "a pause must work while PowerMTA is down"
            await core.publisher.change("t", lambda act: tenant.set_paused(act, "acme", False))
            assert commands[-2:] == ["test config", "reload"]
            answers[0] = (400, "Error in line 3: unknown directive")
            with pytest.raises(RefusedError, match="Error in line 3"):
                await add_domain(
                    core, NewDomain(tenant="acme", domain="b.example", ip="192.0.2.11")
                )
            after = await everything(core)
            assert after[0] == before[0]
            assert file.read_text() == text


class Monitor:
    """PowerMTA's web monitor; `at`: the ledger's generation at each command."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.at: list[int] = []
        self.status = 200
        self.core: Parts | None = None

    async def command(self, request: web.Request) -> web.Response:
        self.commands.append(str((await request.post())["command"]))
        self.at.append(await self.core.admin.number() if self.core else 0)
        return web.Response(status=self.status, text="" if self.status == 200 else "it is ill")


@pytest.fixture
async def monitored(
    create_database: CreateDatabase, valkey_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Parts, Monitor]]:
    """With a PowerMTA that has tenant acme's IPs 192.0.2.10 and .11, and a folder of keys."""
    monitor = Monitor()
    (tmp_path / "keys").mkdir()
    async with web_monitor(monitor.command) as url:
        settings = settings_for(
            await create_database("control", build),
            valkey_url,
            pmta_config=str(tmp_path / "pmta.conf"),
            pmta_reload_url=url,
            pmta_keys=str(tmp_path / "keys"),
        )
        async with control_core(settings) as core:
            await add_tenant(core)
            await add_domain(core, ONE)
            await add_domain(core, TWO)
            monitor.core = core
            monitor.commands.clear()
            monitor.at.clear()
            yield core, monitor


TWO = NewDomain(tenant="acme", domain="two.example.com", ip="192.0.2.11", quota=5)


async def remove_domain(core: Parts) -> Any:
    async def act(a: Act) -> Any:
        return await removal.remove_domain(a, "acme", "example.com")

    return await core.publisher.change("test", act)


def text_of(core: Parts) -> str:
    return Path(core.settings.control.pmta_config).read_text()


def lost(core: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger takes no generation."""

    async def dies(*_: object, **__: object) -> int:
        raise ConnectionError("gone")

    monkeypatch.setattr(LedgerAdmin, "publish", dies)


async def test_powermta_takes_back_what_the_ledger_refused(
    monitored: tuple[Parts, Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    core, monitor = monitored
    before = text_of(core)
    lost(core, monkeypatch)
    with pytest.raises(RefusedError, match="did not take the generation"):
        await add_domain(core, NewDomain(tenant="acme", domain="c.example", ip="192.0.2.12"))
    assert text_of(core) == before
    assert monitor.commands == ["test config", "reload", "reload"]
    # What is refused before PowerMTA is told tells it nothing.
    with pytest.raises(RefusedError, match="did not take the generation"):
        await remove_domain(core)
    assert len(monitor.commands) == 3


async def test_what_goes_goes_at_powermta_last(monitored: tuple[Parts, Monitor]) -> None:
    core, monitor = monitored
    done = await remove_domain(core)
    assert monitor.commands == ["test config", "reload"]
    assert monitor.at == [done.generation] * 2
    assert "example.com.pem" not in text_of(core).replace("two.example.com", "")


async def test_a_removal_is_done_while_powermta_is_down_and_handed_over_later(
    monitored: tuple[Parts, Monitor],
) -> None:
    core, monitor = monitored
    before = text_of(core)
    monitor.status = 400
    done = await remove_domain(core)
    assert any("PowerMTA keeps what went until it takes" in note for note in done.notes)
    assert text_of(core) == before
    assert await core.publisher.reconcile() is None
    assert text_of(core) == before
    monitor.status = 200
    assert await core.publisher.reconcile() is None
    assert text_of(core) != before
    told = len(monitor.commands)
    assert await core.publisher.reconcile() is None
    assert len(monitor.commands) == told, "once"


async def test_a_quota_changes_while_powermta_is_down_and_its_wall_follows(
    monitored: tuple[Parts, Monitor],
) -> None:
    core, monitor = monitored
    assert "max-smtp-msg-rate 15/d" in text_of(core)
    monitor.status = 400
    warmup = core.settings.warmup
    less = IpChange(quota=2)
    await core.publisher.change("t", lambda act: ip.change(act, TWO.ip, less, warmup=warmup))
    assert "max-smtp-msg-rate 6/d" not in text_of(core)
    monitor.status = 200
    assert await core.publisher.reconcile() is None
    assert "max-smtp-msg-rate 6/d" in text_of(core)


async def test_powermta_keeps_a_virtual_mta_that_a_late_gateway_names(
    monitored: tuple[Parts, Monitor],
) -> None:
    core, monitor = monitored
    admin = core.admin
    seconds, _ = await admin.client.time()
    await admin.client.zadd(f"{admin.root}workers", {"gw/1": seconds + 3600})
    await admin.client.hset(f"{admin.root}running", "gw/1", "1")
    done = await remove_domain(core)
    assert any("until 1 gateway worker (gw/1) let go" in note for note in done.notes)
    assert monitor.commands == []
    await admin.client.hset(f"{admin.root}running", "gw/1", str(done.generation))
    await core.publisher.reconcile()
    assert monitor.commands == ["test config", "reload"]


async def test_the_key_file_of_a_domain_goes_with_it(monitored: tuple[Parts, Monitor]) -> None:
    core, _ = monitored
    folder = Path(core.settings.control.pmta_keys)
    (folder / "somebody-elses.pem").write_text("")
    names = {file.name for file in folder.iterdir()}
    assert len(names) == 3
    await remove_domain(core)
    gone = names - {file.name for file in folder.iterdir()}
    assert [name.startswith("example.com.") for name in gone] == [True]


async def test_quota_stage_state_and_ceilings_of_an_ip(core: Parts) -> None:
    await add_tenant(core)
    await add_domain(core, ONE)

    async def change(**fields: Any) -> Any:
        wanted = msgspec.convert(fields, IpChange)
        await core.publisher.change(
            "test", lambda act: ip.change(act, "192.0.2.10", wanted, warmup=core.settings.warmup)
        )
        generation = await core.admin.current()
        assert generation is not None
        vmta = generation.vmtas[0]
        return vmta.daily, vmta.state.value, vmta.ceilings

    assert await change(quota="unlimited") == ("unlimited", "active", {})
    assert await change(quota="plan", stage=2, ceilings={"gmail": 3}) == (
        200,
        "warming",
        {"gmail": 3},
    )
    assert (await change(state="pause"))[1] == "paused"
    assert (await change(state="resume"))[1] == "warming"
    assert (await change(state="retire"))[1] == "retiring"
    config = Path(core.settings.control.pmta_config).read_text()
    assert "<virtual-mta vmta-192-0-2-10>" in config, "mail may still be queued for it"
    with pytest.raises(RefusedError, match="retiring"):
        await change(state="pause")
    history = await core.pool.fetch(
        "SELECT quota_after, stage_after, state_after FROM warmup_history ORDER BY id"
    )
    assert [tuple(row) for row in history] == [
        ("5", None, "active"),
        ("unlimited", None, "active"),
        ("plan", 2, "warming"),
        ("plan", 2, "paused"),
        ("plan", 2, "warming"),
        ("plan", 2, "retiring"),
    ]


async def test_a_lost_ledger_is_opened_by_an_operator_at_once(core: Parts) -> None:
    assert (await core.opening.status()).state is LedgerState.OPEN
    with pytest.raises(RefusedError, match="nothing to do"):
        await core.opening.open_again("test")
    await core.admin.client.flushall()
    assert (await core.opening.status()).state is LedgerState.LOST
    assert (await core.opening.open_first()).state is LedgerState.REBUILDING
    assert await core.admin.incarnation() == ""
    assert (await core.opening.open_again("test", "seen")).state is LedgerState.OPEN
    row = await core.pool.fetchrow(
        "SELECT * FROM audit_log WHERE action = 'ledger.open' AND who = 'test'"
    )
    assert row["reason"] == "seen"


async def test_without_a_folder_of_keys_nothing_claims_to_sign(core: Parts) -> None:
    async with api_of(core) as api:
        await add_tenant(core)
        body = {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.10"}
        _, added = await api("POST", "/api/v2/domains", body)
        assert any("control.pmta_keys" in note for note in added["notes"])
        assert not any("signs" in record["why"] for record in added["view"]["records"])
        status, refused = await api("GET", "/api/v2/powermta/keys")
        assert (status, "control.pmta_keys" in refused["detail"]) == (409, True)


async def test_a_publish_whose_reply_was_lost_is_found_out(
    core: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger runs it: to say that nothing was changed would be untrue."""
    await add_tenant(core)
    publish = LedgerAdmin.publish

    async def lose_the_reply(self: LedgerAdmin, *what: Any, **how: Any) -> int:
        await publish(self, *what, **how)
        raise ConnectionError("reset")

    monkeypatch.setattr(LedgerAdmin, "publish", lose_the_reply)
    done = await add_domain(core, ONE)
    assert done.generation == await core.admin.number()
    monkeypatch.undo()
    assert await core.publisher.reconcile() is None
