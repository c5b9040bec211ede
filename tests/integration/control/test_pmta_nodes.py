"""Several control nodes and agents that come back: what is offered is one thing for all of them."""

import asyncio
import time

import msgspec
import pytest

from control.parts import Parts, open_parts
from settings.model import Settings
from tests.support.control.core import Api, api_of
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


async def test_an_agent_at_one_node_brings_what_another_one_changes(
    api: Api, core: Parts, host: Host, settings: Settings
) -> None:
    async with open_parts(settings) as parts, api_of(parts) as other:
        began = time.monotonic()
        status, added = await add(other, "192.0.2.10", "example.com")
        assert status == 201, added
        assert time.monotonic() - began < 5
        assert host.running is not None
        assert "vmta-192-0-2-10" in host.running.known
        # Both at once: one after the other, each in force before it is answered.
        answers = await asyncio.gather(
            add(api, "192.0.2.11", "one.example"), add(other, "192.0.2.12", "two.example")
        )
        assert [status for status, _ in answers] == [201, 201]
        assert {"vmta-192-0-2-11", "vmta-192-0-2-12"} <= set(host.running.known)
        host.problem = ("test", "no")
        assert (await add(other, "192.0.2.13", "b.example"))[0] == 409
        await until_right(api)
        assert await core.publisher.reconcile() is None
        assert await parts.publisher.reconcile() is None


async def test_an_agent_that_comes_back_with_an_older_version_gets_the_wanted_one(
    api: Api, core: Parts, host: Host
) -> None:
    first = host.running
    assert (await add(api, "192.0.2.10", "example.com"))[0] == 201
    await until_right(api)
    await host.stop()
    # As from a back-up of its host.
    host.running, host.tag = first, ""
    await host.say()
    assert not (await standing(api))["right"]
    host.start()
    await until_right(api)
    assert host.running is not None
    assert "vmta-192-0-2-10" in host.running.known


async def test_a_change_that_waits_is_not_ended_by_postgresql(
    settings: Settings, token: str, api: Api, host: Host
) -> None:
    """database.idle_transaction ends what hangs, not what waits."""
    short = msgspec.structs.replace(settings.database, idle_transaction=2.0)
    slow = msgspec.structs.replace(settings.control, pmta_apply_wait=10.0)
    async with (
        open_parts(msgspec.structs.replace(settings, database=short, control=slow)) as parts,
        api_of(parts) as other,
    ):
        host.deaf = True
        asked = asyncio.create_task(add(other, "192.0.2.10", "example.com"))
        offers = len(host.offers)
        async with asyncio.timeout(10):
            while len(host.offers) == offers:
                await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3.5):
                await asyncio.shield(asked)
        host.deaf = False
        await host.bring(host.offers[-1])
        status, added = await asked
        assert status == 201, added


async def test_a_pause_works_where_an_older_version_was_put_back_and_the_agent_is_away(
    api: Api, core: Parts, host: Host, settings: Settings
) -> None:
    """Also at a control process that has no plan in its memory."""
    for domain, quota in (("example.com", 5), ("two.example", None)):
        assert (await add(api, "192.0.2.10", domain, quota=quota))[0] == 201
    older = (await standing(api))["running"] - 1
    body = {"server": "pmta1", "version": older}
    assert (await api("POST", "/api/v2/powermta/rollback", body))[0] == 200
    await host.stop()
    await core.pool.execute("UPDATE pmta_agent SET heard = heard - 1000000")
    async with open_parts(settings) as parts, api_of(parts) as other:
        status, paused = await other("PATCH", "/api/v2/ips/192.0.2.10", {"state": "pause"})
        assert status == 200, paused
        assert (await add(other, "192.0.2.11", "b.example"))[0] == 409
