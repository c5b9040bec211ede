"""What a tenant's token is told of others, and what it changes when an object changed hands."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from control.plan.turn import PUBLISH_LOCK
from control.store.change import Act
from control.users.token import new_token, put
from tests.support.control.core import Api, api_of
from tests.support.control.people import joined

OTHER = "zzother"


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With two tenants; acme has a pool besides its own."""
    async with api_of(core) as opened:
        for name in ("acme", OTHER):
            new = {"name": name, "login": name, "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
        for tenant, pool in (("acme", "spare"), (OTHER, f"{OTHER}-Pool")):
            status, answer = await opened("POST", "/api/v2/pools", {"tenant": tenant, "name": pool})
            assert status == 201, answer
        yield opened


@pytest.fixture(params=["token", "person of one", "person of some"])
async def acmes(api: Api, core: Parts, request: pytest.FixtureRequest) -> str:
    """A token of acme, or of a person: of acme alone, or of another tenant, too."""
    if request.param != "token":
        new = {"name": "third", "login": "third", "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
        tenants = ("acme",) if request.param == "person of one" else ("acme", "third")
        return str((await joined(core, api, "anna", "operator", tenants))["access_token"])
    made = new_token()

    async def act(a: Act) -> None:
        await put(a, "acme's", made, "operator", "acme")

    return made if await core.publisher.change("test", act) else ""


async def until_one_waits(core: Parts) -> None:
    """For the publishers' lock."""
    async with asyncio.timeout(20):
        while not await core.pool.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        ):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v2/pools/spare/pause", None),
        ("PATCH", "/api/v2/pools/spare", {"default": True}),
        ("DELETE", "/api/v2/pools/spare", None),
    ],
)
async def test_what_changed_hands_before_the_act_is_not_there(
    api: Api, core: Parts, acmes: str, method: str, path: str, body: Any
) -> None:
    """The door has let the request in by what the name meant; the act waits for its turn."""
    async with core.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PUBLISH_LOCK)
        asked = asyncio.create_task(api(method, path, body, token=acmes))
        await until_one_waits(core)
        await connection.execute("UPDATE pool SET tenant = $1 WHERE name = 'spare'", OTHER)
    status, answer = await asked
    assert (status, answer["detail"]) == (404, "pool spare does not exist")  # type: ignore[index]
    row = await core.pool.fetchrow("SELECT tenant, paused FROM pool WHERE name = 'spare'")
    assert tuple(row) == (OTHER, False)


async def test_a_number_that_means_another_name_by_then_changes_nothing(
    api: Api, core: Parts, acmes: str
) -> None:
    """Both are acme's; what it asked for is not what it would change."""
    number = await core.pool.fetchval("SELECT id FROM pool WHERE name = 'spare'")
    async with core.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", PUBLISH_LOCK)
        asked = asyncio.create_task(api("POST", f"/api/v2/pools/{number}/pause", token=acmes))
        await until_one_waits(core)
        await connection.execute("UPDATE pool SET name = 'renamed' WHERE name = 'spare'")
    status, answer = await asked
    assert status == 409
    assert "changed this moment" in answer["detail"]  # type: ignore[index]
    assert not await core.pool.fetchval("SELECT bool_or(paused) FROM pool")


async def test_a_refusal_tells_a_tenant_nothing_of_anothers(
    api: Api, core: Parts, acmes: str
) -> None:
    new = {"tenant": "acme", "name": f"{OTHER}-pool"}
    status, answer = await api("POST", "/api/v2/pools", new, token=acmes)
    says = f"the name {OTHER}-pool is taken; choose another"
    assert (status, answer["detail"]) == (400, says)  # type: ignore[index]
    assert answer["errors"] == [{"field": "name", "detail": says}]  # type: ignore[index]
    _, whole = await api("POST", "/api/v2/pools", new)
    assert f"taken by pool {OTHER}-Pool" in str(whole)
    # A row that makes no plan, written by hand or left by an older version, is another's.
    await core.pool.execute(
        "UPDATE tenant SET window_start = 0, window_length = 3600, window_zone = 'No/Where' "
        "WHERE name = $1",
        OTHER,
    )
    status, answer = await api("POST", "/api/v2/pools/spare/pause", token=acmes)
    assert (status, OTHER in str(answer)) == (409, False), answer
    assert "ask who sees all tenants" in str(answer)
    status, whole = await api("POST", "/api/v2/pools/spare/pause")
    assert (status, OTHER in str(whole)) == (409, True), whole
