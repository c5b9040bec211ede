"""Who loses a lock, a word or a process while PowerMTA is told, leaves no gateway with a VirtualMTA
that PowerMTA does not know, nor takes one away that a gateway may name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from control.parts import Parts, open_parts
from policy.ledger.admin import LedgerAdmin
from settings.model import Settings
from tests.support.control.core import Api, api_of
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

X, Y = "vmta-192-0-2-10", "vmta-192-0-2-11"


async def planned(core: Parts) -> set[str]:
    """What gateways name."""
    plan = await core.publisher.current()
    assert plan is not None
    return {v.name for v in plan.vmtas}


def known(host: Host) -> set[str]:
    """What PowerMTA knows."""
    assert host.running is not None
    return set(host.running.known)


async def a_worker_runs(core: Parts, number: int | None = None) -> None:
    """A gateway worker that runs that plan (None: the last)."""
    number = await core.admin.number() if number is None else number
    seconds, _ = await core.admin.client.time()
    await core.admin.client.zadd(f"{core.admin.root}workers", {"gw/1": seconds + 3600})
    await core.admin.client.hset(f"{core.admin.root}running", "gw/1", str(number))


async def one_ip(api: Api) -> None:
    assert (await add(api, "192.0.2.20", "example.com"))[0] == 201
    await until_right(api)


async def two_ips(api: Api) -> None:
    assert (await add(api, "192.0.2.10", "acme.example"))[0] == 201
    assert (await add(api, "192.0.2.11", "acme.example"))[0] == 201
    await until_right(api)


async def gone(api: Api) -> None:
    """X, from the plan."""
    path = "/api/v2/ips/192.0.2.10"
    assert (await api("PATCH", path, {"state": "retire"}))[0] == 200
    assert (await api("DELETE", path))[0] == 200


@asynccontextmanager
async def killed_while_it_waits(core: Parts) -> AsyncIterator[None]:
    """Its offers stand, and nobody takes them back."""
    agents = core.publisher.agents
    until, take_back = agents.waiting.until, agents.take_back

    async def never(*_: Any) -> None:
        raise asyncio.CancelledError

    async def nothing(*_: Any) -> None: ...

    agents.waiting.until, agents.take_back = never, nothing  # type: ignore[method-assign]
    try:
        yield
    finally:
        agents.waiting.until, agents.take_back = until, take_back  # type: ignore[method-assign]


async def lost(core: Parts) -> None:
    """X is ordered, and control killed while it waits for PowerMTA."""
    async with killed_while_it_waits(core):
        with pytest.raises(asyncio.CancelledError):
            await added(core, "192.0.2.10", "acme.example")


@pytest.mark.parametrize("how", ["refuses", "deaf"])
async def test_an_order_repeated_behind_a_killed_control_waits_anew(
    api: Api, core: Parts, host: Host, settings: Settings, how: str
) -> None:
    await one_ip(api)
    host.problem, host.deaf = (("test", "no"), False) if how == "refuses" else (None, True)
    await lost(core)
    async with open_parts(settings) as parts, api_of(parts) as other:
        status, answer = await add(other, "192.0.2.10", "acme.example")
        assert status in (409, 503), answer
        assert X not in await planned(parts)


async def test_the_same_while_a_gateway_is_late(api: Api, core: Parts, host: Host) -> None:
    await one_ip(api)
    await a_worker_runs(core, 1)
    host.problem = ("test", "no")
    await lost(core)
    for _ in range(2):
        await core.publisher.reconcile()
    assert (await add(api, "192.0.2.10", "acme.example"))[0] in (409, 503)
    assert X not in await planned(core)


async def test_a_change_while_a_rollback_waits_waits_itself(
    api: Api, core: Parts, host: Host
) -> None:
    await two_ips(api)
    old = (await versions(api))[0]["version"]
    await gone(api)
    await until_right(api)
    assert X not in known(host)
    host.deaf = True
    body = {"server": "pmta1", "version": old}
    rolling = asyncio.create_task(api("POST", "/api/v2/powermta/rollback", body))
    async with asyncio.timeout(10):
        while (await standing(api))["desired"] != old:
            await asyncio.sleep(0.02)
    status, answer = await add(api, "192.0.2.10", "acme.example")
    assert status in (409, 503), answer
    assert X not in await planned(core)
    assert (await rolling)[0] in (409, 503)


async def test_an_ip_that_comes_again_is_offered_where_a_word_was_lost(
    api: Api, core: Parts, host: Host
) -> None:
    await two_ips(api)
    await a_worker_runs(core)
    await gone(api)
    assert X in known(host)
    await a_worker_runs(core)
    host.deaf = True  # PowerMTA takes what comes, and its word is lost.
    assert (await api("POST", "/api/v2/powermta/apply", {}))[0] == 503
    host.running = next(offer for offer in reversed(host.offers) if X not in offer.known)
    status, answer = await add(api, "192.0.2.10", "acme.example")
    assert status in (409, 503), answer
    assert X not in await planned(core)


@pytest.mark.parametrize("how", ["add", "rollback"])
async def test_what_a_late_gateway_names_stays(api: Api, core: Parts, host: Host, how: str) -> None:
    assert (await add(api, "192.0.2.11", "acme.example"))[0] == 201
    await until_right(api)
    old = (await versions(api))[0]["version"]
    assert (await add(api, "192.0.2.10", "acme.example"))[0] == 201
    await a_worker_runs(core)
    await gone(api)
    assert X in known(host)
    if how == "add":
        status, answer = await add(api, "192.0.2.12", "acme.example")
        assert status == 201, answer
        assert any("PowerMTA keeps what went until" in note for note in answer["notes"])
    else:
        body = {"server": "pmta1", "version": old}
        status, answer = await api("POST", "/api/v2/powermta/rollback", body)
        assert status == 503
        assert "VirtualMTA vmta-192-0-2-10 must stay at PowerMTA until" in answer["detail"]
    assert X in known(host)
    # When it has let go, so does PowerMTA.
    await a_worker_runs(core)
    await core.publisher.reconcile()
    await until_right(api)
    assert X not in known(host)


async def test_who_is_ended_while_the_ledger_takes_the_plan_takes_nothing_back(
    api: Api, core: Parts, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one_ip(api)
    publish = LedgerAdmin.publish

    async def cut(self: LedgerAdmin, *given: Any, **named: Any) -> int:
        await publish(self, *given, **named)
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(LedgerAdmin, "publish", cut)
        with pytest.raises(asyncio.CancelledError):
            await added(core, "192.0.2.10", "acme.example")
    offers = len(host.offers)
    await host.stop()
    assert await host.fetch(0.5) is None, "no other version is offered"
    assert len(host.offers) == offers
    assert X in known(host)
    host.start()
    await core.publisher.reconcile()
    await until_right(api)


@pytest.mark.parametrize("late", [False, True])
async def test_a_domain_that_comes_again_signs_with_its_new_key(
    api: Api, core: Parts, host: Host, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    await two_ips(api)
    assert (await add(api, "192.0.2.11", "two.example", quota=None))[0] == 201
    await until_right(api)
    if late:
        await a_worker_runs(core)

    async def somebody_has_the_lock(_: str) -> str:
        return ""

    with monkeypatch.context() as patched:
        patched.setattr(core.publisher, "_follow", somebody_has_the_lock)
        assert (await api("DELETE", "/api/v2/domains/two.example?reason=x"))[0] == 200
    status, answer = await add(api, "192.0.2.11", "two.example", quota=None)
    assert status == 201, answer
    if late:
        await a_worker_runs(core)
    await core.publisher.reconcile()
    await until_right(api)
    row = await core.pool.fetchrow(
        "SELECT dkim_selector, dkim_private FROM sending_domain WHERE domain = 'two.example'"
    )
    assert host.running is not None
    signs = host.running.keys[f"two.example.{row['dkim_selector']}.pem"]
    assert signs == core.seal.open(row["dkim_private"]).decode()


@pytest.mark.parametrize("slow", [False, True])
async def test_who_lost_the_lock_does_not_undo_what_another_offered(
    api: Api, core: Parts, host: Host, settings: Settings, slow: bool
) -> None:
    """A's session dies while it waits; B waits for the lock. `slow`: B's plan is a large one."""
    await one_ip(api)
    await host.stop()
    async with open_parts(settings) as parts, api_of(parts) as other:
        host.api = other
        before = (await standing(api))["desired"]
        first = asyncio.create_task(add(api, "192.0.2.10", "one.example", pool="one"))
        async with asyncio.timeout(10):
            while (await standing(api))["desired"] == before:
                await asyncio.sleep(0.01)
        before = (await standing(api))["desired"]
        published = parts.publisher.agents.published

        async def delayed(*arguments: Any) -> None:
            await asyncio.sleep(1.0)
            await published(*arguments)

        if slow:
            parts.publisher.agents.published = delayed  # type: ignore[method-assign]
        second = asyncio.create_task(add(other, "192.0.2.11", "two.example", pool="two"))
        async with asyncio.timeout(10):
            while not (holder := await core.pool.fetchval(_HOLDER)):
                await asyncio.sleep(0.01)
        await core.pool.fetchval("SELECT pg_terminate_backend($1)", holder)
        async with asyncio.timeout(10):
            while (await standing(other))["desired"] == before:
                await asyncio.sleep(0.005)
        host.start()
        await asyncio.gather(first, second, return_exceptions=True)
        await parts.publisher.reconcile()
        await until_right(other)
        assert await planned(core) <= known(host)
        await host.stop()
        host.api = api


_HOLDER = """
SELECT h.pid FROM pg_locks h JOIN pg_locks w ON w.objid = h.objid AND w.classid = h.classid
WHERE h.locktype = 'advisory' AND h.granted AND w.locktype = 'advisory' AND NOT w.granted
"""
"""Who has the lock that somebody waits for."""
