"""/api/v2/users: people looked after by route, each admin no farther than it reaches."""

import asyncio
from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD, joined, login, me, signed_in

USERS = "/api/v2/users"
ANNA = "(SELECT id FROM person WHERE name = 'anna')"
OWN = {"own_password": PASSWORD}


async def tenants(api: Api, *names: str) -> None:
    for name in names:
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201


async def test_a_user_from_add_to_remove_by_route(api: Api, core: Parts) -> None:
    new = {"name": "anna@example.com", "role": "operator"}
    status, dry = await api("POST", f"{USERS}?dry_run=1", new)
    assert (status, dry["view"]["link"], dry["dry_run"]) == (201, None, True)  # type: ignore[index]
    assert await api("GET", USERS) == (200, [])
    status, made = await api("POST", USERS, new)
    assert (status, made["view"]["user"]["mail"]) == (201, "anna@example.com")  # type: ignore[index]
    body = {"link": made["view"]["link"], "password": PASSWORD}  # type: ignore[index]
    assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 200
    status, again = await api("POST", USERS, new)
    assert (status, again["errors"][0]["field"]) == (409, "name")  # type: ignore[index]
    tokens = await signed_in(api, "anna@example.com")
    one = f"{USERS}/anna@example.com"
    _, shown = await api("GET", one)
    assert (shown["role"], shown["sessions"], shown["tenants"]) == ("operator", 1, None)  # type: ignore[index,call-overload]
    _, changed = await api("PATCH", one, {"role": "viewer", "mail": None})
    assert changed["changed"]  # type: ignore[index]
    said = {d["field"]: d["after"] for d in changed["differences"]}  # type: ignore[index]
    assert said == {"role": "viewer", "mail": None}
    _, same = await api("PATCH", one, {"role": "viewer"})
    assert not same["changed"], "nothing is written down of what is so already"  # type: ignore[index]
    _, ended = await api("DELETE", f"{one}/sessions?reason=lost+laptop")
    assert ended["view"]["sessions"] == 0  # type: ignore[index]
    assert await me(api, tokens) == 401
    assert (await api("PATCH", one, {"disabled": True}))[0] == 200
    assert (await login(api, "anna@example.com"))[0] == 401
    status, refused = await api("POST", f"{one}/reset", {})
    assert (status, "is disabled" in refused["detail"]) == (409, True)  # type: ignore[index]
    assert (await api("PATCH", one, {"disabled": False}))[0] == 200
    _, reset = await api("POST", f"{one}/reset", {})
    assert (await login(api, "anna@example.com"))[0] == 401, "the password is gone"
    body = {"link": reset["view"]["link"], "password": PASSWORD}  # type: ignore[index]
    assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 200
    assert (await api("DELETE", one))[0] == 200
    assert (await api("GET", one))[0] == 404
    rows = await core.pool.fetch(
        "SELECT action, who, kind, reason FROM audit_log WHERE action LIKE 'user.%' ORDER BY id"
    )
    by_token = [
        (r["action"], r["reason"]) for r in rows if (r["who"], r["kind"]) == ("test", "token")
    ]
    assert by_token == [
        *(("user.add", ""), ("user.set", ""), ("user.sessions", "lost laptop")),
        *(("user.disable", ""), ("user.enable", ""), ("user.reset", ""), ("user.remove", "")),
    ]


async def test_a_stolen_access_token_makes_no_account_that_stays(api: Api, core: Parts) -> None:
    """Who gives a way in says its password besides; who takes one away need not."""
    held = (await joined(core, api, "anna"))["access_token"]
    await joined(core, api, "ben", "viewer")
    gives: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", USERS, {"name": "mallory", "role": "admin"}),
        ("PATCH", f"{USERS}/ben", {"role": "admin"}),
        ("PATCH", f"{USERS}/ben", {"mail": "mallory@example.net"}),
        ("PATCH", f"{USERS}/ben", {"disabled": False}),
        ("POST", f"{USERS}/ben/reset", {"codes": True}),
        ("POST", "/api/v2/tokens", {"name": "back door", "scope": "admin"}),
    ]
    before = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    for method, path, body in gives:
        status, answer = await api(method, path, body, token=held)
        assert (status, answer["errors"][0]["field"]) == (401, "own_password"), path  # type: ignore[index]
        wrong = {**body, "own_password": "not this one at all"}
        # The sixth guess is locked out, as at a login.
        assert (await api(method, path, wrong, token=held))[0] in (401, 429), path
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") <= before + 1, "locked alone"
    # Another source is another account of failures; the right password from here waits.
    await core.pool.execute("TRUNCATE login_attempt")
    for method, path, body in gives:
        status, answer = await api(method, path, {**body, **OWN}, token=held)
        assert status in (200, 201), (path, answer)
    assert (await api("PATCH", f"{USERS}/ben", {"disabled": True}, token=held))[0] == 200
    assert (await api("DELETE", f"{USERS}/ben", token=held))[0] == 200


async def test_the_last_admin_stays(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    one = f"{USERS}/anna"
    for method, path, body in (
        ("PATCH", one, {"role": "viewer"}),
        ("PATCH", one, {"disabled": True}),
        ("DELETE", one, None),
    ):
        status, refused = await api(method, path, body)
        assert (status, "last admin" in refused["detail"]) == (409, True)  # type: ignore[index]
        assert "force" in (await api(method, f"{path}?force=1", body))[1]["detail"]  # type: ignore[index]
    await joined(core, api, "ben")
    assert (await api("DELETE", one))[0] == 200


@pytest.fixture
async def scoped(api: Api, core: Parts) -> str:
    """The access token of an admin of acme and third, among people of all kinds."""
    await tenants(api, "acme", "third", "zzother")
    held = (await joined(core, api, "anna", "admin", ("acme", "third")))["access_token"]
    for name, role, of in (
        ("hers", "viewer", ("acme",)),
        ("shared", "viewer", ("acme", "zzother")),
        ("theirs", "viewer", ("zzother",)),
        ("all", "viewer", None),
    ):
        status, answer = await api("POST", USERS, {"name": name, "role": role, "tenants": of})
        assert status == 201, answer
    return str(held)


async def test_an_admin_of_some_tenants_has_the_people_of_those(
    api: Api, core: Parts, scoped: str
) -> None:
    _, seen = await api("GET", USERS, token=scoped)
    assert [p["name"] for p in seen] == ["anna", "hers"]  # type: ignore[index]
    before = [tuple(r) for r in await core.pool.fetch("SELECT * FROM person ORDER BY id")]
    for name in ("shared", "theirs", "all", "nobody"):
        one = f"{USERS}/{name}"
        for method, path, body in (
            ("GET", one, None),
            ("PATCH", one, {"role": "admin", **OWN}),
            ("PATCH", one, {"disabled": True}),
            ("POST", f"{one}/reset", OWN),
            ("DELETE", f"{one}/sessions", None),
            ("DELETE", one, None),
        ):
            status, answer = await api(method, path, body, token=scoped)
            assert (status, answer["detail"]) == (404, f"user {name} does not exist")  # type: ignore[index]
    for given, status, says in (
        (None, 400, "name those it is for, of yours: acme, third"),
        (["zzother"], 404, "tenant zzother does not exist"),
        (["3"], 404, "tenant 3 does not exist"),
        (["nowhere"], 404, "tenant nowhere does not exist"),
        (["acme", "zzother"], 404, "tenant zzother does not exist"),
    ):
        for method, path, more in (
            ("POST", USERS, {"name": "new"}),
            ("PATCH", f"{USERS}/hers", {}),
        ):
            body = {**more, "tenants": given, **OWN}
            found, answer = await api(method, path, body, token=scoped)
            assert (found, says in answer["detail"]) == (status, True), answer  # type: ignore[index]
    assert [tuple(r) for r in await core.pool.fetch("SELECT * FROM person ORDER BY id")] == before
    new = {"name": "new", "role": "admin", "tenants": ["1"], **OWN}
    status, made = await api("POST", USERS, new, token=scoped)
    assert (status, made["view"]["user"]["tenants"]) == (201, ["acme"])  # type: ignore[index]
    assert (await api("DELETE", f"{USERS}/hers", token=scoped))[0] == 200


@pytest.mark.parametrize(
    ("took", "status"),
    [
        ("person SET role = 'viewer' WHERE name = 'anna'", 403),
        ("person SET everywhere = true, role = 'operator' WHERE name = 'anna'", 403),
        ("session SET ended = 'admin'", 401),
        ("person SET disabled = true WHERE name = 'anna'", 401),
        (f"person_tenant SET tenant = 'zzother' WHERE tenant = 'acme' AND person = {ANNA}", 404),
    ],
)
async def test_rights_that_went_after_the_door_change_nothing(
    api: Api, core: Parts, scoped: str, took: str, status: int
) -> None:
    """They are read again where the change is made: here they go while its password is proved."""
    before = await core.pool.fetch("SELECT * FROM person WHERE name <> 'anna' ORDER BY id")
    async with core.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE login_attempt IN ACCESS EXCLUSIVE MODE")
        body = {"role": "operator", **OWN}
        question = asyncio.create_task(api("PATCH", f"{USERS}/hers", body, token=scoped))
        table = "'login_attempt'::regclass"
        waits = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = {table}"
        async with asyncio.timeout(20):
            while not await core.pool.fetchval(waits):
                await asyncio.sleep(0.02)
        await core.pool.execute(f"UPDATE {took}")
        await transaction.rollback()
    found, answer = await question
    assert found == status, answer
    assert await core.pool.fetch("SELECT * FROM person WHERE name <> 'anna' ORDER BY id") == before


async def test_a_list_in_parts_skips_and_repeats_none_of_those_that_stay(api: Api) -> None:
    for number in range(9):
        await api("POST", USERS, {"name": f"u{number}", "role": "viewer"})
    for sort in ("name", "-name"):
        seen: list[str] = []
        while True:
            after = f"&after={seen[-1]}" if seen else ""
            _, part = await api("GET", f"{USERS}?limit=2&sort={sort}{after}")
            if not part:
                break
            seen += [p["name"] for p in part]  # type: ignore[index]
            if len(seen) == 4:
                # The last one that was seen goes, and others come on both sides of it.
                await api("DELETE", f"{USERS}/{seen[-1]}")
                for name in ("a", "z"):
                    await api("POST", USERS, {"name": f"{name}{sort.strip('-')}{len(sort)}"})
        stayed = [name for name in seen if name.startswith("u")]
        assert len(stayed) == len(set(seen) & set(stayed)), seen
        assert stayed == sorted(stayed, reverse=sort == "-name")
        assert len(stayed) == (9 if sort == "name" else 8)
    for query, names in (
        ("state=invited&role=viewer&limit=1", 1),
        ("state=active", 0),
        ("state=disabled", 0),
        ("role=admin", 0),
    ):
        assert len((await api("GET", f"{USERS}?{query}"))[1]) == names, query
    for query in ("limit=0", "sort=mail", "after=~x", "state=gone"):
        status, refused = await api("GET", f"{USERS}?{query}")
        field = query.partition("=")[0]
        assert (status, refused["errors"][0]["field"]) == (400, field), query  # type: ignore[index]
