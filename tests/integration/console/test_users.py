"""Users and tokens at the console: who is let in, and secrets that are shown once."""

import re

import pytest

from control.parts import Parts
from tests.support.control.browsing import ANYTHING, Browser, Seen
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD, joined, login

OWN = {"own_password": PASSWORD}


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An admin who is signed in."""
    for name in ("acme", "globex"):
        new = {"name": name, "login": name, "password": "correct horse"}
        assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    return await signed_in(api, core, "anna")


async def signed_in(api: Api, core: Parts, name: str, *tenants: str) -> Browser:
    await joined(core, api, name, "admin", tenants or None)
    browser = Browser(api)
    assert (await browser.sign_in(name)).status == 303
    return browser


def secret(seen: Seen) -> str:
    """The one that the page shows; nothing else of the answer has it."""
    assert seen.status == 200, seen.words
    found = re.search(r'<code id="secret">([^<]+)</code>', seen.text)
    assert found is not None, seen.words
    assert seen.headers["Cache-Control"] == "no-store"
    assert seen.to == ""
    assert seen.text.count(found[1]) == 1
    assert "__Host-sendgate-said" not in str(seen.headers), "nor a cookie"
    assert PASSWORD not in seen.text
    return found[1]


async def test_somebody_is_invited_by_a_link_that_is_shown_once(anna: Browser, api: Api) -> None:
    form = {"do": "add", "name": "ben", "role": "operator", "tenants": "acme, globex", **OWN}
    made = await anna.post("/users", form)
    link = secret(made)
    assert "ben may sign in as operator" in made.words
    assert 'value="ben"' not in made.text, "the form is empty again"
    later = await anna.get("/users")
    assert "shown this once" not in later.words
    assert link.rpartition("#")[2] not in later.text
    assert "ben operator acme, globex invited" in later.words
    again = Browser(api)
    chosen = {"link": link, "password": PASSWORD, "again": PASSWORD}
    assert (await again.post("/sign-in/link", chosen)).status == 303
    assert (await again.sign_in("ben")).status == 303


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"own_password": "not hers"}, "own_password"),
        ({"own_password": ""}, "your own password is wanted"),
        ({"name": "Ben <b>"}, "name"),
        ({"role": "god"}, "role"),
        ({"tenants": "nowhere"}, "nowhere"),
        ({"mail": "no address"}, "mail"),
    ],
)
async def test_nobody_is_invited_by_a_form_that_is_wrong(
    anna: Browser, core: Parts, wrong: dict[str, str], said: str
) -> None:
    form = {"do": "add", "name": "ben", "role": "viewer", **OWN, **wrong}
    refused = await anna.post("/users", form)
    assert refused.status in (400, 401, 404, 422), refused.words
    assert said in refused.words or f'name="{said}"' in refused.text
    assert PASSWORD not in refused.text, "what was typed stays, but no password"
    assert 'id="secret"' not in refused.text
    assert await core.pool.fetchval("SELECT count(*) FROM person") == 1


async def test_a_users_terms_are_changed_and_it_is_put_out_and_let_in_again(
    anna: Browser, api: Api, core: Parts
) -> None:
    await joined(core, api, "ben", "viewer")
    path = "/users/ben"
    form = {"do": "change", "role": "operator", "tenants": "acme", "mail": "b@acme.test", **OWN}
    done = await anna.post(path, form)
    assert (done.status, done.to) == (303, path)
    page = await anna.get(path)
    assert "ben is operator of tenants acme, and let in." in page.words
    assert 'value="b@acme.test"' in page.text
    again = await anna.post(path, form)
    assert again.status == 303
    assert "is that already" in (await anna.get(path)).words
    assert (await anna.post(path, {"do": "sessions", "reason": "lost"})).status == 303
    assert (await anna.post(path, {"do": "disable", "reason": "left"})).status == 303
    assert (await login(api, "ben"))[0] == 401
    assert "disabled" in (await anna.get(path)).words
    assert (await anna.post(path, {"do": "enable"})).status == 401, "her password is wanted"
    assert (await anna.post(path, {"do": "enable", **OWN})).status == 303
    assert (await login(api, "ben"))[0] == 200
    rows = await core.pool.fetch(
        "SELECT action, reason FROM audit_log WHERE kind = 'console' AND subject = 'ben' "
        "AND action LIKE 'user.%' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        *(("user.set", ""), ("user.sessions", "lost"), ("user.disable", "left")),
        ("user.enable", ""),
    ]


async def test_who_lost_its_password_gets_another_link(
    anna: Browser, api: Api, core: Parts
) -> None:
    await joined(core, api, "ben", "viewer")
    refused = await anna.post("/users/ben", {"do": "reset", "own_password": "guess"})
    assert (refused.status, (await login(api, "ben"))[0]) == (401, 200)
    link = secret(await anna.post("/users/ben", {"do": "reset", **OWN}))
    assert (await login(api, "ben"))[0] == 401
    body = {"link": link, "password": PASSWORD}
    assert (await api("POST", "/api/v1/auth/link", body, token=""))[0] == 200


async def test_a_user_is_removed_once_it_was_shown(anna: Browser, api: Api, core: Parts) -> None:
    await joined(core, api, "ben", "viewer")
    form = {"do": "remove", "reason": "left <b>"}
    tried = await anna.post("/users/ben", form)
    assert (tried.status, "ben would be removed" in tried.words) == (200, True)
    assert (await anna.get("/users/ben")).status == 200
    done = await anna.post("/users/ben", form | {"sure": "1"})
    assert (done.status, done.to) == (303, "/users")
    assert "ben is removed" in (await anna.get("/users")).words
    assert (await anna.get("/users/ben")).status == 404


async def test_a_token_is_made_shown_once_and_revoked(anna: Browser, api: Api) -> None:
    form = {"do": "add", "name": "ci <b>", "scope": "read", "tenants": "acme", **OWN}
    form |= {"networks": "127.0.0.0/8 10.0.0.0/8", "expires": "2099-01-01T00:00Z"}
    token = secret(await anna.post("/tokens", form))
    status, found = await api("GET", "/api/v2/tenants", token=token)
    assert (status, [one["name"] for one in found]) == (200, ["acme"])  # type: ignore[index]
    page = await anna.get("/tokens")
    assert token not in page.text
    assert "ci <b> read acme 127.0.0.0/8, 10.0.0.0/8 2099-01-01" in page.words
    assert "ci <b>" not in page.text
    taken = await anna.post("/tokens", form)
    assert (taken.status, "exists already" in taken.words) == (409, True)
    assert 'value="127.0.0.0/8 10.0.0.0/8"' in taken.text, "what was typed stays"
    revoke = {"do": "revoke", "token": "ci <b>"}
    tried = await anna.post("/tokens", revoke)
    assert "would be worthless at once" in tried.words
    assert (await api("GET", "/api/v2/tenants", token=token))[0] == 200
    assert (await anna.post("/tokens", revoke | {"sure": "1"})).status == 303
    assert (await api("GET", "/api/v2/tenants", token=token))[0] == 401


async def test_an_admin_of_a_tenant_has_its_people_and_tokens(
    anna: Browser, api: Api, core: Parts
) -> None:
    await joined(core, api, "theirs-user", "viewer", ("globex",))
    secret(await anna.post("/tokens", {"do": "add", "name": "theirs-t", "scope": "read", **OWN}))
    olga = await signed_in(api, core, "olga", "acme")
    for path in ("/users", "/tokens"):
        seen = await olga.get(path)
        assert seen.status == 200
        assert "theirs-" not in seen.text
        assert 'value="acme"' in seen.text, "she gives what she has"
    assert (await olga.get("/users/theirs-user")).status == 404
    for path, form in (
        ("/users", {"do": "add", "name": "new", "role": "viewer"}),
        ("/tokens", {"do": "add", "name": "new", "scope": "read"}),
    ):
        refused = await olga.post(path, {**form, **OWN})
        assert (refused.status, "name those it is for" in refused.words) == (400, True)
    gone = await olga.post(
        "/tokens", {"do": "revoke", "token": "theirs-t", "sure": "1", "seen": ANYTHING}
    )
    assert gone.status == 404
