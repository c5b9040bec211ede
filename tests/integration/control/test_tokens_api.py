"""/api/v2/tokens: tokens looked after by route; nobody gives more than it has."""

from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.core import Api, Command
from tests.support.control.people import PASSWORD, joined

TOKENS = "/api/v2/tokens"


async def tenants(api: Api, *names: str) -> None:
    for name in names:
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201


async def test_a_token_from_add_to_revoke_by_route(
    api: Api, core: Parts, sendgate: Command
) -> None:
    await tenants(api, "acme", "globex")
    new = {"name": "panel", "scope": "operate", "tenants": ["1"], "expires": "2099-01-01"}
    status, dry = await api("POST", f"{TOKENS}?dry_run=1", new)
    assert (status, dry["token"], dry["terms"]["tenants"]) == (201, None, ["acme"])  # type: ignore[index]
    status, made = await api("POST", TOKENS, new)
    given = made["token"]  # type: ignore[index]
    assert (status, given[:4], made["terms"]["role"]) == (201, "sgt_", "operator")  # type: ignore[index]
    assert (await api("POST", TOKENS, new))[0] == 409
    assert [t["name"] for t in (await api("GET", "/api/v2/tenants", token=given))[1]] == ["acme"]  # type: ignore[index]
    _, shown = await api("GET", f"{TOKENS}/panel")
    assert (shown["expires"], shown["used"] is None) == ("2099-01-01T00:00:00Z", False)  # type: ignore[index,call-overload]
    assert given not in str((await api("GET", TOKENS))[1]), "it is shown once"
    change = {"tenants": ["globex"], "scope": "read", "networks": ["127.0.0.0/8"], "expires": None}
    _, changed = await api("PATCH", f"{TOKENS}/panel", change)
    assert {d["field"] for d in changed["differences"]} == {  # type: ignore[index]
        *("role", "tenant", "tenants", "networks", "expires")
    }
    assert [t["name"] for t in (await api("GET", "/api/v2/tenants", token=given))[1]] == ["globex"]  # type: ignore[index]
    _, same = await api("PATCH", f"{TOKENS}/panel", {"scope": "read"})
    assert not same["changed"]  # type: ignore[index]
    said = await sendgate("token", "set", "panel", "--all-tenants", "--scope", "operate")
    assert said.strip() == "token panel: operator of all tenants"
    await sendgate("token", "set", "panel", code=2)
    assert (await api("DELETE", f"{TOKENS}/panel?reason=done"))[0] == 200
    assert (await api("GET", "/api/v2/tenants", token=given))[0] == 401
    assert (await api("DELETE", f"{TOKENS}/panel"))[0] == 404
    rows = await core.pool.fetch(
        "SELECT action, who, reason FROM audit_log WHERE subject = 'panel' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("token.add", "test", ""),
        ("token.set", "test", ""),
        ("token.set", "command line", ""),
        ("token.revoke", "test", "done"),
    ]
    assert given not in str(await core.pool.fetch("SELECT * FROM audit_log"))


@pytest.fixture
async def bound(api: Api) -> str:
    """A token of acme that is an admin, from here and for a while."""
    await tenants(api, "acme", "zzother")
    new = {
        "name": "acmes",
        "scope": "admin",
        "tenants": ["acme"],
        "networks": ["127.0.0.0/8", "::1/128"],
        "expires": "2099-01-01",
    }
    for name, of in (("theirs", ["zzother"]), ("shared", ["acme", "zzother"]), ("all", None)):
        assert (await api("POST", TOKENS, {"name": name, "scope": "read", "tenants": of}))[0] == 201
    status, made = await api("POST", TOKENS, new)
    assert status == 201
    return str(made["token"])  # type: ignore[index]


async def test_a_token_gives_no_more_than_it_has(api: Api, core: Parts, bound: str) -> None:
    good: dict[str, Any] = {
        "name": "next",
        "scope": "admin",
        "tenants": ["acme"],
        "networks": ["127.0.0.1/32"],
        "expires": "2098-01-01",
    }
    before = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    for field, value, status in (
        ("tenants", ["zzother"], 404),
        ("tenants", ["2"], 404),
        ("tenants", None, 400),
        ("networks", [], 403),
        ("networks", ["192.0.2.0/24"], 403),
        ("networks", ["0.0.0.0/0"], 403),
        ("expires", None, 403),
        ("expires", "2099-01-02", 403),
        ("expires", "2001-01-01", 400),
        ("scope", "scrape", 400),
        ("scope", "agent", 400),
        ("scope", "king", 400),
    ):
        found, answer = await api("POST", TOKENS, {**good, field: value}, token=bound)
        assert found == status, (field, value, answer)
        assert OTHER not in str(answer) or value == [OTHER], answer
    for path in ("theirs", "shared", "all", "nobody"):
        for method, body in (("GET", None), ("PATCH", {"scope": "admin"}), ("DELETE", None)):
            status, answer = await api(method, f"{TOKENS}/{path}", body, token=bound)
            assert (status, answer["detail"]) == (404, f"token {path} does not exist")  # type: ignore[index]
    # A person is bound to no networks and no end.
    status, answer = await api(
        "POST", "/api/v2/users", {"name": "eve", "tenants": ["acme"]}, token=bound
    )
    assert (status, "bound to networks" in answer["detail"]) == (403, True)  # type: ignore[index]
    # Nor does it loosen itself.
    for change in ({"networks": []}, {"expires": None}, {"tenants": None}):
        status, answer = await api("PATCH", f"{TOKENS}/acmes", change, token=bound)
        assert status in (400, 403), answer
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == before
    assert (await api("POST", TOKENS, good, token=bound))[0] == 201
    seen = [t["name"] for t in (await api("GET", TOKENS, token=bound))[1]]  # type: ignore[index]
    assert seen == ["acmes", "next"]


OTHER = "zzother"


async def test_lower_roles_are_turned_away(api: Api, core: Parts) -> None:
    for role in ("viewer", "operator"):
        held = (await joined(core, api, role, role))["access_token"]
        body = {"name": "x", "scope": "read", "own_password": PASSWORD}
        assert (await api("POST", TOKENS, body, token=held))[0] == 403
        assert (await api("GET", TOKENS, token=held))[0] == 403


async def test_tokens_are_listed_in_parts_and_by_what_they_are(api: Api) -> None:
    await tenants(api, "acme")
    for name, scope, of in (("a", "read", None), ("b", "operate", ["acme"]), ("c", "read", None)):
        await api("POST", TOKENS, {"name": name, "scope": scope, "tenants": of})

    async def names(query: str) -> list[str]:
        _, found = await api("GET", f"{TOKENS}?{query}")
        return [one["name"] for one in found]  # type: ignore[index]

    assert await names("limit=2") == ["a", "b"]
    assert await names("limit=2&after=b") == ["c", "test"]
    assert await names("sort=-name&limit=2") == ["test", "c"]
    assert await names("scope=operate") == await names("tenant=1") == ["b"]
    assert await names("expired=yes") == []
    assert await names("unused=2001-01-01") == ["a", "b", "c"]
