"""While one change waits for PowerMTA, others wait without what its agent needs to be heard."""

import asyncio

from control.parts import Parts
from control.store.change import Act
from control.tenants import tenant
from tests.support.control.core import Api
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import add, api, core, host, settings, token

__all__ = ["api", "core", "host", "settings", "token"]


async def test_who_only_looks_is_not_waited_for(api: Api, host: Host) -> None:
    body = {"name": "pmta2", "addresses": [{"host": "127.0.0.1", "port": 2526}]}
    assert (await api("POST", "/api/v2/servers", body))[0] == 200
    path = "/api/v2/powermta/agent/configuration?agent=host2&wait=0&look=1&server="
    async with api.session.get(
        api.url + path + "pmta2", headers={"Authorization": f"Bearer {host.token}"}
    ) as got:
        assert got.status == 304
    assert (await api("GET", f"{path}nobody", token=host.token))[0] == 404
    assert (await api("GET", "/api/v2/powermta/standing?server=pmta2"))[1] == []
    status, added = await add(api, "192.0.2.10", "acme.example", server="pmta2")
    assert status == 201, added


async def test_an_agent_is_heard_however_many_changes_wait(
    api: Api, core: Parts, host: Host
) -> None:
    async def paused(on: bool) -> None:
        async def act(a: Act) -> None:
            await tenant.set_paused(a, "acme", on)

        await core.publisher.change("test", act)

    more = 3 * core.pool.get_max_size()
    first = asyncio.create_task(add(api, "192.0.2.10", "acme.example"))
    # It has the lock, and PowerMTA has not heard of it yet.
    async with asyncio.timeout(10):
        while not await core.pool.fetchval("SELECT count(*) FROM pmta_version WHERE why <> ''"):
            await asyncio.sleep(0.001)
    others = [asyncio.create_task(paused(number % 2 == 0)) for number in range(more)]
    status, answer = await first
    assert status == 201, answer
    await asyncio.gather(*others)
    assert host.running is not None
    assert "vmta-192-0-2-10" in host.running.known
