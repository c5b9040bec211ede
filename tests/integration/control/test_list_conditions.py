"""Lists that are things too: a change is held against the whole, never against a part of it."""

import re

import pytest

from control.app import Parts
from tests.integration.control.test_conditions import Answer, ask, tag_of
from tests.support.control.core import TOKEN, Api

LOGINS = "/api/v2/tenants/acme/logins"
NETWORKS = "/api/v2/tenants/acme/networks"
SUPPRESSIONS = "/api/v2/suppressions"
PASSWORD = "correct horse"
WEAK = re.compile('W/"[0-9a-f]{32}"')


@pytest.fixture
async def stocked(api: Api) -> Api:
    """With a tenant that has three logins and networks, and three addresses without mail."""
    new = {"name": "acme", "login": "in-0", "password": PASSWORD}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    for number in (1, 2):
        await _add_login(api, number)
    for number in range(3):
        network = {"network": f"192.0.2.{16 * number}/28"}
        assert (await api("POST", NETWORKS, network))[0] == 201
        address = {"address": f"anna{number}@gmail.com"}
        assert (await api("POST", SUPPRESSIONS, address))[0] == 200
    return api


async def _add_login(api: Api, number: int) -> None:
    new = {"login": f"in-{number}", "password": PASSWORD}
    assert (await api("POST", LOGINS, new))[0] == 201


async def part(api: Api, path: str, **headers: str) -> Answer:
    """A part's, whose tag is a weak one."""
    found = await ask(api, "GET", path, **headers)
    assert WEAK.fullmatch(found.tag), (path, found)
    return found


async def following(api: Api, path: str) -> str:
    """Where the next part is."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with api.session.get(api.url + path, headers=headers) as answer:
        return answer.headers["Link"].removeprefix("<").partition(">")[0]


@pytest.mark.parametrize("path", [LOGINS, NETWORKS, SUPPRESSIONS])
async def test_a_part_has_a_tag_of_its_own_that_is_weak(stocked: Api, path: str) -> None:
    first = await part(stocked, f"{path}?limit=2")
    second = await part(stocked, await following(stocked, f"{path}?limit=2"))
    assert first.tag != second.tag
    for seen in (first.tag, first.tag.removeprefix("W/"), "*"):
        found = await ask(stocked, "GET", f"{path}?limit=2", If_None_Match=seen)
        assert found == (304, first.tag, None), seen
    other = await ask(stocked, "GET", f"{path}?limit=2", If_None_Match=second.tag)
    assert other == (200, first.tag, first.body)
    for never in (first.tag, first.tag.removeprefix("W/")):
        found = await ask(stocked, "GET", f"{path}?limit=2", If_Match=never)
        assert (found.status, found.tag) == (412, first.tag)


async def test_more_that_comes_behind_makes_a_full_part_another(stocked: Api) -> None:
    """Who was answered 304 would take it for the last one."""
    path = f"{LOGINS}?limit=3"
    tag = await tag_of(stocked, path)
    await _add_login(stocked, 3)
    found = await part(stocked, path, If_None_Match=tag)
    assert found.status == 200


@pytest.mark.parametrize(
    ("path", "named", "what"),
    [(LOGINS, "login", "in-2"), (NETWORKS, "network", "192.0.2.32/28")],
)
async def test_no_change_is_held_against_a_part(
    stocked: Api, path: str, named: str, what: str
) -> None:
    whole = await tag_of(stocked, path)
    assert await tag_of(stocked, f"{path}?limit=3") == whole, "it is whole, whatever the limit"
    sort = "-name" if named == "login" else "-network"
    for query in ("limit=2", f"sort={sort}"):
        some = await part(stocked, f"{path}?{query}")
        for given in (some.tag, some.tag.removeprefix("W/")):
            url = f"{path}?{named}={what}"
            found = await ask(stocked, "DELETE", url, If_Match=given)
            assert (found.status, found.tag) == (412, whole), (query, found)
            weak = "weak tag is of a part of a list" in found.body["detail"]
            assert weak == given.startswith("W/")
    assert await tag_of(stocked, path) == whole
    found = await ask(stocked, "DELETE", f"{path}?{named}={what}", If_Match=whole)
    assert found.status == 200


async def test_a_list_longer_than_a_part_is_held_by_no_tag(stocked: Api, core: Parts) -> None:
    """What lies behind its first part may be another, and the tag of that part the same."""
    path = f"{LOGINS}?limit=1000"
    async with core.pool.acquire() as connection:
        await connection.execute(_MANY, 1000 - 3)
        whole = await tag_of(stocked, path)
        await connection.execute(_ONE_MORE)
    for given in (whole, (await part(stocked, path)).tag):
        found = await ask(stocked, "DELETE", f"{LOGINS}?login=in-2", If_Match=given)
        assert (found.status, bool(WEAK.fullmatch(found.tag))) == (412, True)
    found = await ask(stocked, "DELETE", f"{LOGINS}?login=in-2", If_Match="*")
    assert found.status == 200


async def test_an_address_is_let_go_as_it_was_seen_by_itself(stocked: Api) -> None:
    one = f"{SUPPRESSIONS}?address=anna1@gmail.com"
    tag = await tag_of(stocked, one)
    every = await part(stocked, SUPPRESSIONS)
    some = await part(stocked, f"{one}&origin=api")
    for given in (every.tag, some.tag):
        found = await ask(stocked, "DELETE", one, If_Match=given)
        assert (found.status, found.tag) == (412, tag)
    assert (await ask(stocked, "DELETE", one, If_Match=tag)).status == 200


_MANY = """INSERT INTO login (name, tenant, hash, created)
SELECT 'm-' || n, 'acme', '$argon2id$x', now() FROM generate_series(1, $1) n"""
_ONE_MORE = """INSERT INTO login (name, tenant, hash, created)
VALUES ('z', 'acme', '$argon2id$x', now())"""
