"""A server that is removed while its configuration is brought into force, and a database that was
put back: nobody is told anything that is not so."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from control.parts import Parts
from control.plan.applying import Applying
from tests.support.control.core import Api
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import (
    add,
    api,
    core,
    host,
    settings,
    standing,
    token,
    until_right,
)

__all__ = ["api", "core", "host", "settings", "token"]

PATH = "/api/v2/powermta"


@pytest.fixture
async def second(api: Api, core: Parts, host: Host, token: str) -> AsyncIterator[Host]:
    """pmta2's, which has no IP, and another configuration to take."""
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    body = {"name": "pmta2", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await api("POST", "/api/v2/servers", body))[0] == 200
    made = Host(api, token, "pmta2")
    await made.say()
    await core.publisher.reconcile()
    assert await made.once() is not None
    compiler = core.publisher._compiler
    control = msgspec.structs.replace(compiler._settings.control, pmta_complaints=("a@b.example",))
    compiler._settings = msgspec.structs.replace(compiler._settings, control=control)
    yield made
    await made.stop()


@pytest.mark.parametrize("what", ["apply", "rollback"])
async def test_a_server_that_was_removed_before_its_turn_is_named(
    api: Api, host: Host, second: Host, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert second.running is not None
    body: dict[str, object] = {"server": "pmta2"}
    if what == "rollback":
        body["version"] = second.running.version
    order = Applying._order

    async def and_then(self: Applying, server: str | None) -> list[str]:
        names = await order(self, server)
        assert (await api("DELETE", "/api/v2/servers/pmta2"))[0] == 200
        return names

    monkeypatch.setattr(Applying, "_order", and_then)
    status, answer = await api("POST", f"{PATH}/{what}", body)
    assert status == 409, answer
    assert "PowerMTA server pmta2 was removed meanwhile" in answer["detail"]  # type: ignore[index]


async def test_a_server_that_is_removed_while_it_is_waited_for_is_named(
    api: Api, host: Host, second: Host
) -> None:
    before = (await standing(api, "pmta2"))["desired"]
    applying = asyncio.create_task(api("POST", f"{PATH}/apply", {"server": "pmta2"}))
    async with asyncio.timeout(10):
        while (await standing(api, "pmta2"))["desired"] == before:
            await asyncio.sleep(0.01)
    assert (await api("DELETE", "/api/v2/servers/pmta2"))[0] == 200
    status, answer = await applying
    assert status == 409, answer
    assert "PowerMTA server pmta2 was removed meanwhile" in answer["detail"]  # type: ignore[index]


async def test_an_offer_behind_a_restored_dump_is_another_one(
    api: Api, core: Parts, host: Host
) -> None:
    """Versions and offers are counted from the dump's on: the same numbers come again."""
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    dump = await core.pool.fetchrow("SELECT version, offer FROM pmta_desired")

    async def quota(number: int) -> None:
        path = "/api/v2/ips/192.0.2.10"
        assert (await api("PATCH", path, {"quota": number}))[0] == 200

    await quota(6)
    await until_right(api)
    await host.stop()
    lost, given = await core.pool.fetchrow("SELECT version, offer FROM pmta_desired"), host.tag
    await core.pool.execute("UPDATE pmta_desired SET version = $1, offer = $2", *dump)
    await core.pool.execute("DELETE FROM pmta_version WHERE version > $1", dump["version"])
    for statement in (
        f"ALTER SEQUENCE pmta_offer RESTART WITH {dump['offer'] + 1}",
        f"ALTER TABLE pmta_version ALTER version RESTART WITH {dump['version'] + 1}",
    ):
        await core.pool.execute(statement)
    await quota(7)
    assert await core.pool.fetchrow("SELECT version, offer FROM pmta_desired") == lost
    offer = await host.fetch(1.0)
    assert offer is not None, "the agent has seen the other one, not this"
    assert host.tag != given
    assert "max-smtp-msg-rate 21/d" in offer.files["tenant-acme.conf"]
