"""Versions of PowerMTA's configuration: what a change adds is in force there before a gateway names
it, or nothing is changed."""

import asyncio
import time
from typing import Any

import msgspec
import pytest

from control.parts import Parts, open_parts
from control.pmta.known import names
from control.store.change import Act
from control.users.token import new_token, put
from policy.ledger.admin import LedgerAdmin
from settings.model import Settings
from tests.support.control.core import Api
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import (
    add,
    added,
    api,
    core,
    host,
    settings,
    standing,
    token,
    until_right,
    versions,
)

__all__ = ["api", "core", "host", "settings", "token"]


async def everything(core: Parts) -> Any:
    tables = ("virtual_mta", "sending_domain", "generation", "audit_log")
    return [await core.pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables]


async def test_powermta_runs_what_a_plan_names_before_the_plan(
    api: Api, core: Parts, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    knew: list[bool] = []
    publish = LedgerAdmin.publish

    async def look(self: LedgerAdmin, generation: Any, *rest: Any, **named: Any) -> int:
        wanted = {v.name for v in generation.vmtas}
        knew.append(host.running is not None and wanted <= set(host.running.known))
        return await publish(self, generation, *rest, **named)

    monkeypatch.setattr(LedgerAdmin, "publish", look)
    status, added = await add(api, "192.0.2.10", "example.com")
    assert status == 201, added
    assert not any("pmta config --output" in note for note in added["notes"])
    assert knew == [True]
    assert host.running is not None
    assert "vmta-192-0-2-10" in host.running.known
    assert len(host.running.keys) == 1
    await until_right(api)
    newest = (await versions(api))[0]
    assert newest["desired"]
    assert newest["running"]
    assert "VirtualMTA vmta-192-0-2-10" in newest["why"]
    assert (newest["who"], newest["generation"]) == ("test", added["generation"])


@pytest.mark.parametrize("step", ["write", "test", "reload", "verify"])
async def test_what_powermta_refuses_changes_nothing(
    api: Api, core: Parts, host: Host, step: str
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    before, ran = await everything(core), host.running
    number = await core.admin.number()
    host.problem = (step, "Error in line 7: unknown directive")
    status, refused = await add(api, "192.0.2.11", "two.example")
    assert status == 409
    title = refused["detail"]
    assert "pmta1 did not take version" in title
    assert "Error in line 7: unknown directive" in title
    assert await everything(core) == before
    assert await core.admin.number() == number
    async with asyncio.timeout(10):
        while host.offers[-1] != ran:
            await asyncio.sleep(0.02)
    host.problem = None
    assert (await add(api, "192.0.2.11", "two.example"))[0] == 201


async def test_an_agent_that_says_nothing_is_waited_for_and_the_version_before_offered(
    api: Api, core: Parts, host: Host
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    ran, before = host.running, await everything(core)
    host.deaf = True
    began = time.monotonic()
    status, refused = await add(api, "192.0.2.11", "two.example")
    assert status == 503
    assert 2.5 < time.monotonic() - began < 8
    assert "control.pmta_apply_wait" in refused["detail"]
    assert await everything(core) == before
    late = host.offers[-1]
    # The answer comes after all: the version before is offered already, and it goes back to it.
    await host.stop()
    host.deaf = False
    await host.bring(late)
    host.start()
    async with asyncio.timeout(10):
        while host.running != ran:
            await asyncio.sleep(0.02)
    await until_right(api)


async def test_a_silent_agent_refuses_at_once_and_a_pause_works_all_the_same(
    api: Api, core: Parts, host: Host
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    await host.stop()
    await core.pool.execute("UPDATE pmta_agent SET heard = heard - 1000000")
    began = time.monotonic()
    status, refused = await add(api, "192.0.2.11", "two.example")
    assert (status, time.monotonic() - began < 2) == (503, True)
    assert "the agent of pmta1 was not heard of for 100" in refused["detail"]
    assert "vmta-192-0-2-11" in refused["detail"]
    status, paused = await api("PATCH", "/api/v2/ips/192.0.2.10", {"state": "pause"})
    assert (status, paused["late"]) == (200, [])  # type: ignore[index]
    one = await standing(api)
    assert (one["state"], one["right"]) == ("silent", False)
    _, status_ = await api("GET", "/api/v2/status")
    assert "has not asked for its configuration" in str(status_)


async def test_what_goes_is_offered_when_no_gateway_names_it(
    api: Api, core: Parts, host: Host
) -> None:
    for ip, domain in (("192.0.2.10", "example.com"), ("192.0.2.11", "two.example")):
        assert (await add(api, ip, domain))[0] == 201
    admin = core.admin
    seconds, _ = await admin.client.time()
    await admin.client.zadd(f"{admin.root}workers", {"gw/1": seconds + 3600})
    await admin.client.hset(f"{admin.root}running", "gw/1", "1")
    had = host.running
    status, gone = await api("DELETE", "/api/v2/domains/two.example?reason=x")
    assert status == 200, gone
    assert any("until 1 gateway worker (gw/1) let go" in n for n in gone["notes"])  # type: ignore[index]
    await core.publisher.reconcile()
    assert host.running == had
    await admin.client.hset(f"{admin.root}running", "gw/1", str(await admin.number()))
    await core.publisher.reconcile()
    await until_right(api)
    assert host.running is not None
    assert not any("two.example" in name for name in host.running.keys)


async def test_a_control_that_was_killed_behind_its_offer_leaves_what_the_rows_say(
    api: Api, core: Parts, host: Host, settings: Settings
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    before = host.running
    assert before is not None
    agents = core.publisher.agents

    async def never(*_: Any) -> None:
        """As one that is killed while it waits: what it wrote down stays."""
        raise asyncio.CancelledError

    async def nothing(*_: Any) -> None: ...

    agents.waiting.until, agents.take_back = never, nothing  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await added(core, "192.0.2.11", "two.example")
    async with asyncio.timeout(10):
        while host.running == before:
            await asyncio.sleep(0.02)
    assert "vmta-192-0-2-11" in host.running.known
    async with open_parts(settings) as other:
        assert await other.publisher.reconcile() is None
    async with asyncio.timeout(10):
        while host.running is None or "vmta-192-0-2-11" in host.running.known:
            await asyncio.sleep(0.02)
    assert host.running.digest == before.digest
    await until_right(api)


async def test_only_servers_whose_set_changes_are_waited_for(
    api: Api, core: Parts, host: Host, token: str
) -> None:
    body = {"name": "pmta2", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await api("POST", "/api/v2/servers", body))[0] == 200
    two = Host(api, token, "pmta2")
    await two.say()
    await core.publisher.reconcile()
    await two.once()
    # It is away: what is pmta1's is none of its.
    two.deaf = True
    status, added = await add(api, "192.0.2.10", "example.com", server="pmta1")
    assert status == 201, added
    status, refused = await add(api, "192.0.2.20", "b.example", server="pmta2", pool="b")
    assert (status, "pmta2 (version" in refused["detail"]) == (503, True)
    two.deaf = False
    two.start()
    status, added = await add(api, "192.0.2.20", "b.example", server="pmta2", pool="b")
    assert status == 201, added
    assert two.running is not None
    assert host.running is not None
    assert "vmta-192-0-2-20" not in host.running.known
    assert "vmta-192-0-2-10" not in two.running.known
    await two.stop()


async def test_an_ip_that_moves_to_another_server_is_known_there_first(
    api: Api, core: Parts, host: Host, token: str
) -> None:
    """The text of all VirtualMTAs is the same before and after."""
    body = {"name": "pmta2", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await api("POST", "/api/v2/servers", body))[0] == 200
    two = Host(api, token, "pmta2")
    await two.say()
    await core.publisher.reconcile()
    await two.once()
    two.start()
    assert (await add(api, "192.0.2.10", "example.com", server="pmta1"))[0] == 201
    await core.pool.execute("UPDATE virtual_mta SET state = 'paused'")
    path = "/api/v2/ips/192.0.2.10/server?force=1"
    status, moved = await api("POST", path, {"server": "pmta2"})
    assert status == 200, moved
    assert two.running is not None
    assert "vmta-192-0-2-10" in two.running.known
    await until_right(api)
    await until_right(api, "pmta2")
    assert host.running is not None
    assert "vmta-192-0-2-10" not in host.running.known
    await two.stop()


async def test_a_rate_holds_nothing_up_and_is_offered_behind_its_plan(
    api: Api, core: Parts, host: Host
) -> None:
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    host.deaf = True
    began = time.monotonic()
    status, changed = await api("PATCH", "/api/v2/ips/192.0.2.10", {"quota": 700})
    assert (status, time.monotonic() - began < 2) == (200, True), changed
    newest = (await versions(api))[0]
    assert (newest["why"], newest["who"]) == ("as the plan says", "test")
    assert not newest["running"]
    one = await standing(api)
    assert (one["state"], one["right"]) == ("waiting", False)
    host.deaf = False
    await host.bring(host.offers[-1])
    await until_right(api)
    assert host.running is not None
    assert any("700 recipients a day" in text for text in host.running.files.values())


async def test_an_unchanged_set_is_no_new_version_and_old_ones_are_forgotten(
    api: Api, core: Parts, host: Host
) -> None:
    limit = msgspec.structs.replace(core.settings.control, pmta_versions_kept=5)
    core.publisher.agents._settings = limit
    assert (await add(api, "192.0.2.10", "a0.example"))[0] == 201
    had = await versions(api)
    for state in ("pause", "resume"):
        assert (await api("PATCH", "/api/v2/ips/192.0.2.10", {"state": state}))[0] == 200
    assert await versions(api) == had
    for number in range(1, 9):
        assert (await add(api, "192.0.2.10", f"a{number}.example", quota=None))[0] == 201
    found = await versions(api)
    assert len(found) == 5
    assert found[0]["running"]
    assert found == sorted(found, key=lambda one: -one["version"])
    kept = await core.pool.fetchval("SELECT count(*) FROM pmta_key")
    assert kept == 9, "each is named by the newest"


async def test_what_was_never_taken_pushes_out_nothing_that_ran(
    api: Api, core: Parts, host: Host
) -> None:
    limit = msgspec.structs.replace(core.settings.control, pmta_versions_kept=5)
    core.publisher.agents._settings = limit
    for number in range(3):
        quota = 100 if number == 0 else None
        assert (await add(api, "192.0.2.10", f"a{number}.example", quota=quota))[0] == 201
    ran = await versions(api)
    host.problem = ("test", "Error in line 7: no")
    for number in range(7):
        assert (await add(api, "192.0.2.10", f"no{number}.example", quota=None))[0] != 201
    host.problem = None
    found = await versions(api)
    withdrawn = [one["version"] for one in found if one["withdrawn"]]
    # The newest was marked after the others had been counted.
    assert len(withdrawn) == 6
    assert [one["version"] for one in found if not one["withdrawn"]] == [
        one["version"] for one in ran
    ]


async def test_an_offer_waits_for_another_one_and_needs_a_token_that_may(
    api: Api, core: Parts, host: Host, token: str
) -> None:
    await host.stop()
    began = time.monotonic()
    assert await host.fetch(wait=0.4) is None
    assert 0.3 < time.monotonic() - began < 3
    path = "/api/v2/powermta/agent/configuration?server=pmta1&agent=host1"
    for role, status in (("accounting", 403), ("operator", 403), ("read", 403), ("admin", 200)):
        made = new_token()

        async def act(a: Act, made: str = made, role: Any = role) -> None:
            await put(a, f"t {role}", made, role)

        await core.publisher.change("test", act)
        assert (await api("GET", path, token=made))[0] == status, role
    assert (await api("GET", path, token=""))[0] == 401
    assert (await api("GET", "/api/v2/tenants", token=token))[0] == 403
    for wrong in ("server=nobody&agent=a", "server=&agent=a", "server=pmta1&agent="):
        bad = f"/api/v2/powermta/agent/configuration?{wrong}"
        assert (await api("GET", bad, token=token))[0] in (400, 404)
    assert (await api("GET", f"{path}&wait=x", token=token))[0] == 400
    assert (await api("GET", f"{path}&more=1", token=token))[0] == 400
    said: dict[str, Any] = {"agent": "a", "server": "nobody", "state": "running"}
    applied = "/api/v2/powermta/agent/applied"
    assert (await api("POST", applied, said, token=token))[0] == 404
    assert (await api("POST", applied, said | {"state": "odd"}, token=token))[0] == 400
    assert (await api("POST", applied, raw=b"{", token=token))[0] == 400


def test_names_are_those_of_blocks() -> None:
    from control.pmta.fileset import MAIN, FileSet

    text = "# <virtual-mta no>\n<virtual-mta a>\n</virtual-mta>\n<virtual-mta-pool p>\n"
    assert names(FileSet({MAIN: text})) == ["a"], "a gateway names no pools"
