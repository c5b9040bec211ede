"""What a plan adds is at PowerMTA before gateways go by it, and what it takes away stays until none
of them goes by an earlier one: also where one change does both."""

import asyncio
from typing import Any

import pytest

from control.parts import Parts
from control.pmta.fileset import FileSet
from control.pmta.known import Fact, facts
from control.sources import domain as domains
from control.sources import moving, removal
from control.sources.domain import NewDomain
from control.sources.moving import DomainMove
from control.store.change import Act
from tests.integration.control.test_pmta_interleavings import (
    X,
    Y,
    a_worker_runs,
    killed_while_it_waits,
    known,
)
from tests.integration.control.test_publish import Monitor, add_domain, monitored, text_of
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

__all__ = ["api", "core", "host", "monitored", "settings", "token"]

IP = "/api/v2/ips/192.0.2.10"
Z = "vmta-192-0-2-12"


@pytest.fixture
async def pools(api: Api, core: Parts, host: Host) -> Host:
    """Pool one with X and one.example, pool two with Y and two.example; a gateway goes by that."""
    assert (await add(api, "192.0.2.10", "one.example", pool="one"))[0] == 201
    assert (await add(api, "192.0.2.11", "two.example", pool="two"))[0] == 201
    await until_right(api)
    await a_worker_runs(core)
    return host


def signs(has: frozenset[Fact], vmta: str, domain: str) -> bool:
    """Whether mail of a domain is signed there."""
    return any(fact[:2] == ("domain-key", vmta) and fact[3] == domain for fact in has)


async def moved(api: Api, what: str) -> None:
    """A domain to pool two, or X with a second IP that stays."""
    if what == "domain":
        path = "/api/v2/domains/one.example/move"
    else:
        assert (await add(api, "192.0.2.12", "one.example"))[0] == 201
        path = f"{IP}/move"
    status, answer = await api("POST", path, {"pool": "two"})
    assert status == 200, answer


@pytest.mark.parametrize("what", ["domain", "ip"])
async def test_who_moves_to_another_pool_is_signed_for_all_the_while(
    api: Api, core: Parts, pools: Host, what: str
) -> None:
    offers = len(pools.offers)
    await moved(api, what)
    # One gateway still has one.example leave by X, the others by where it is now.
    now = (Y, "one.example") if what == "domain" else (X, "two.example")
    taken = [facts(FileSet(offer.files)) for offer in pools.offers[offers:]]
    assert taken
    assert all(signs(has, X, "one.example") for has in taken)
    assert signs(taken[-1], *now)
    for _ in range(2):
        await core.publisher.reconcile()
    assert len(pools.offers) == offers + len(taken), "nothing goes while it is late"
    await a_worker_runs(core)
    await core.publisher.reconcile()
    await until_right(api)
    assert pools.running is not None
    has = facts(FileSet(pools.running.files))
    assert not signs(has, X, "one.example")
    assert signs(has, *now)
    assert (await versions(api))[0]["why"] == "gone: the key of one.example"


async def in_one_change(core: Parts) -> Any:
    """X goes and Z comes."""
    new = NewDomain(tenant="acme", domain="two.example", ip="192.0.2.12", quota=None)

    async def charged(*_: Any, **__: Any) -> list[str]:
        return []

    async def act(a: Act) -> None:
        await removal.remove_domain(a, "acme", "one.example", force=True)
        await removal.remove_ip(a, "192.0.2.10", charged, force=True)
        await domains.add(a, new, seal=core.seal, warmup=core.settings.warmup)

    return await core.publisher.change("test", act)


async def test_one_change_that_adds_and_takes_away_adds_first(
    api: Api, core: Parts, pools: Host
) -> None:
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    await a_worker_runs(core)
    await until_right(api)
    offers = len(pools.offers)
    await in_one_change(core)
    [offer] = pools.offers[offers:]
    assert {X, Y, Z} <= set(offer.known)
    assert signs(facts(FileSet(offer.files)), X, "one.example")
    await a_worker_runs(core)
    await core.publisher.reconcile()
    await until_right(api)
    assert {Y, Z} == known(pools) - {"sendgate-system"}


async def test_a_killed_control_leaves_what_a_late_gateway_names(
    api: Api, core: Parts, pools: Host
) -> None:
    """X went by the last plan, and a gateway has the one before; the change behind it dies."""
    assert (await api("PATCH", IP, {"state": "retire"}))[0] == 200
    await a_worker_runs(core)
    assert (await api("DELETE", "/api/v2/domains/one.example?reason=x&force=1"))[0] == 200
    assert (await api("DELETE", f"{IP}?force=1"))[0] == 200
    assert X in known(pools)
    offers = len(pools.offers)
    async with killed_while_it_waits(core):
        with pytest.raises(asyncio.CancelledError):
            await added(core, "192.0.2.12", "two.example")
    for _ in range(2):
        await core.publisher.reconcile()
    async with asyncio.timeout(10):
        while (one := await standing(api))["running"] != one["desired"]:
            await asyncio.sleep(0.01)
    assert any(Z in offer.known for offer in pools.offers[offers:])
    assert all(X in offer.known for offer in pools.offers[offers:])
    await a_worker_runs(core)
    await core.publisher.reconcile()
    await until_right(api)
    assert {Y} == known(pools) - {"sendgate-system"}


async def test_a_domain_is_signed_in_both_pools_until_no_gateway_is_late(
    monitored: tuple[Parts, Monitor],
) -> None:
    core, monitor = monitored
    await add_domain(
        core, NewDomain(tenant="acme", domain="b.example", ip="192.0.2.12", pool="fast")
    )
    await a_worker_runs(core)
    monitor.at.clear()

    async def act(a: Act) -> str:
        return await moving.move_domain(a, "acme", "example.com", DomainMove(pool="fast"))

    def signing() -> list[str]:
        text = text_of(core)
        blocks = [part.partition("</virtual-mta>")[0] for part in text.split("<virtual-mta ")]
        return [b.partition(">")[0] for b in blocks if ",example.com," in b]

    former = ["vmta-192-0-2-10", "vmta-192-0-2-11"]
    assert signing() == former
    done = await core.publisher.change("test", act)
    assert monitor.at == [done.generation - 1] * 2, "loaded before any gateway goes by it"
    assert signing() == [*former, "vmta-192-0-2-12"]
    await a_worker_runs(core)
    await core.publisher.reconcile()
    assert signing() == ["vmta-192-0-2-12"]
