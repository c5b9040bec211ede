"""A tenant's removal: no gateway holds mail of it between the last look and the removal."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from control.parts import Parts
from settings.model import Gateway
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

ACME = {"name": "acme", "login": "acme", "password": "correct horse", "networks": ["10.1.0.0/16"]}
PATH = "/api/v2/tenants/acme"
NEWEST = 1_000_000
"""A worker that says so is never late."""


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """What is under way at a gateway has its answer within a second."""
    settings = settings_for(await create_database("control", build), valkey_url)
    settings = msgspec.structs.replace(settings, gateway=Gateway(answer_budget=1.0))
    async with control_core(settings) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With tenant acme, paused."""
    async with api_of(core) as opened:
        assert (await opened("POST", "/api/v2/tenants", ACME))[0] == 201
        assert (await opened("POST", f"{PATH}/pause"))[0] == 200
        yield opened


async def worker(core: Parts, running: int) -> None:
    """A gateway worker that lives, and says that it runs generation `running`."""
    admin = core.admin
    seconds, _ = await admin.client.time()
    await admin.client.zadd(f"{admin.root}workers", {"gw/1": seconds + 3600})
    await admin.client.hset(f"{admin.root}running", "gw/1", str(running))


async def ways_in(core: Parts) -> tuple[int, int]:
    """(logins, networks) of acme in the plan."""
    generation = await core.admin.current()
    assert generation is not None
    return len(generation.tenant["acme"].logins), len(generation.tenant["acme"].networks)


async def until_left(core: Parts, removal: asyncio.Task[Any]) -> None:
    """Until the plan without its ways in is published."""
    async with asyncio.timeout(10):
        while await ways_in(core) != (0, 0):
            assert not removal.done()
            await asyncio.sleep(0.01)


async def actions(core: Parts) -> list[str]:
    """What was written down since the tenant was paused."""
    rows = await core.pool.fetch("SELECT action FROM audit_log ORDER BY id")
    found = [row["action"] for row in rows]
    return found[found.index("tenant.pause") + 1 :]


async def test_what_a_gateway_holds_meanwhile_is_seen_and_the_tenant_stays(
    api: Api, core: Parts
) -> None:
    await worker(core, NEWEST)
    removal = asyncio.create_task(api("DELETE", PATH))
    await until_left(core, removal)
    assert (await api("GET", PATH))[1]["leaving"] is True
    # The gateway had it under way by the plan of before.
    await hold(core.pool, "m1")
    status, refused = await removal
    assert status == 409, refused
    assert "1 message is held" in refused["detail"]
    assert await ways_in(core) == (1, 1)
    assert (await api("GET", PATH))[1]["leaving"] is False
    assert await actions(core) == ["tenant.leave", "tenant.stay"]
    await core.pool.execute("UPDATE held SET state = 'done'")
    assert (await api("DELETE", PATH))[0] == 200
    assert (await api("GET", PATH))[0] == 404


async def test_a_gateway_that_does_not_run_the_plan_without_its_ways_in_is_named(
    api: Api, core: Parts
) -> None:
    await worker(core, 1)
    status, refused = await api("DELETE", PATH)
    assert (status, "1 gateway worker (gw/1) may still take" in refused["detail"]) == (409, True)
    assert await ways_in(core) == (1, 1)
    assert (await api("GET", PATH))[1]["leaving"] is False


async def test_what_is_in_the_way_at_once_leaves_the_plan_alone(api: Api, core: Parts) -> None:
    await hold(core.pool, "m1")
    before = await core.admin.number()
    assert (await api("DELETE", PATH))[0] == 409
    assert (await core.admin.number(), await actions(core)) == (before, [])


async def test_a_removal_is_called_off_by_resume(api: Api, core: Parts) -> None:
    await worker(core, NEWEST)
    removal = asyncio.create_task(api("DELETE", PATH))
    await until_left(core, removal)
    _, resumed = await api("POST", f"{PATH}/resume")
    assert "its removal is called off" in resumed["notes"]
    assert await ways_in(core) == (1, 1)
    status, refused = await removal
    assert (status, "called off" in refused["detail"]) == (409, True)
    assert await actions(core) == ["tenant.leave", "tenant.resume"]


async def killed(core: Parts) -> None:
    """Control ended between the two steps of a removal."""

    async def dies() -> dict[str, int]:
        raise asyncio.CancelledError

    async def nothing(*_: object) -> None:
        return None

    core.leaving._workers = dies
    core.leaving._put_back = nothing  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await core.leaving.remove("test", "acme", force=False, reason="", dry=False)
    core.leaving._workers = core.admin.workers
    del core.leaving._put_back
    assert await ways_in(core) == (0, 0)


async def test_a_removal_that_nobody_finishes_is_put_back(api: Api, core: Parts) -> None:
    await killed(core)
    await core.leaving.give_up(600)
    assert (await api("GET", PATH))[1]["leaving"] is True
    now, _ = await core.admin.now()
    await core.admin.set_clock(now + 601_000)
    await core.leaving.give_up(600)
    assert (await api("GET", PATH))[1]["leaving"] is False
    assert await ways_in(core) == (1, 1)
    assert await actions(core) == ["tenant.leave", "tenant.stay"]


async def test_a_removal_that_nobody_finished_goes_on_when_asked_again(
    api: Api, core: Parts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGATE_TOKEN", TOKEN)
    sendgate = Command(api, capsys)
    await killed(core)
    assert "leaving" in await sendgate("tenant", "list")
    assert "leaving" in await sendgate("tenant", "show", "acme")
    assert "tenant acme removed: done" in await sendgate("tenant", "remove", "acme")


async def test_mail_of_a_tenant_that_is_gone_can_be_dropped_and_keeps_its_name(
    api: Api, core: Parts
) -> None:
    assert (await api("DELETE", PATH))[0] == 200
    for name, state in (("m1", "held"), ("m2", "doubt")):
        await hold(core.pool, name, state=state)
    status, refused = await api("POST", "/api/v2/tenants", ACME)
    assert status == 409
    found = [e["detail"] for e in refused["errors"]]
    assert "sendgate hold settle --tenant acme" in found[0]
    assert "held of a former tenant: `sendgate hold drop --tenant acme`" in found[1]
    assert (await api("GET", "/api/v2/hold?tenant=acme"))[1]["all"]["messages"] == 2
    assert len((await api("GET", "/api/v2/hold/messages?tenant=acme"))[1]["messages"]) == 2
    orders = "/api/v2/hold/requests"
    drop = {"tenant": "acme", "action": "drop", "confirm": True}
    assert (await api("POST", orders, drop))[1]["matching"] == 1
    settle = {"tenant": "acme", "action": "settle", "outcome": "delivered"}
    assert (await api("POST", orders, settle))[1]["matching"] == 1
    assert len((await api("GET", f"{orders}?tenant=acme"))[1]) == 2
    assert (await api("GET", "/api/v2/hold?tenant=acne"))[0] == 404
    assert (await api("POST", orders, {**drop, "tenant": "acne"}))[0] == 404
    # As the releasers leave them.
    await core.pool.execute("UPDATE held SET state = 'done', ending = 'dropped'")
    await core.pool.execute("UPDATE hold_request SET state = 'done'")
    assert (await api("POST", "/api/v2/tenants", ACME))[0] == 201
