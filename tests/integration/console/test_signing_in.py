"""Signing in to the console: who gets in, with what, and for how long."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.parts import Parts
from control.users import person
from control.users.person import Terms
from control.users.totp import STEP, code_at
from tests.conftest import CreateDatabase
from tests.support.control.browsing import Browser
from tests.support.control.core import Api, build, control_core, settings_for
from tests.support.control.people import PASSWORD, acting, invited, joined

COOKIE = "__Host-sendgate"


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """Behind a proxy, so that a test comes from wherever it says."""
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, proxy_networks=("127.0.0.0/8",))
    async with control_core(settings) as opened:
        yield opened


async def test_who_is_not_signed_in_is_led_to_the_form_and_back(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    browser = Browser(api)
    led = await browser.get("/ips?after=vmta-1")
    assert (led.status, led.to) == (303, "/sign-in?to=/ips?after%3Dvmta-1")
    form = await browser.get(led.to)
    assert form.status == 200
    assert 'name="to" value="/ips?after=vmta-1"' in form.text
    done = await browser.sign_in("anna", to="/ips?after=vmta-1")
    assert (done.status, done.to) == (303, "/ips?after=vmta-1")
    assert (await browser.get("/")).status == 200


async def test_a_viewer_is_called_what_an_admin_made_it(api: Api, core: Parts) -> None:
    await joined(core, api, "vic", "viewer")
    browser = Browser(api)
    await browser.sign_in("vic")
    assert "<dt>Role</dt><dd>viewer</dd>" in (await browser.get("/account")).text


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", "", "/\n/x"]
)
async def test_signing_in_leads_to_no_other_site(api: Api, core: Parts, to: str) -> None:
    await joined(core, api, "anna")
    assert (await Browser(api).sign_in("anna", to=to)).to == "/"


async def test_the_cookie_is_the_hosts_alone_and_no_scripts(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    done = await Browser(api).sign_in("anna")
    line = next(x for x in done.headers.getall("Set-Cookie") if x.startswith(f"{COOKIE}="))
    said = {part.strip().lower() for part in line.split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= said
    assert not any(part.startswith("domain") for part in said)
    secret = line.split(";")[0].partition("=")[2].encode()
    rows = await core.pool.fetch("SELECT s::text AS row FROM session s")
    assert not any(secret.decode() in row["row"] for row in rows), "only its digest is kept"


async def test_a_wrong_password_says_nothing_of_whether_there_is_the_name(
    api: Api, core: Parts
) -> None:
    await joined(core, api, "anna")
    wrong = [await Browser(api).sign_in(name, "not it") for name in ("anna", "nobody")]
    assert [seen.status for seen in wrong] == [401, 401]
    one, two = (re.sub("anna|nobody", "NAME", seen.text) for seen in wrong)
    assert one == two
    assert "name or password is wrong" in wrong[0].words
    assert not Browser(api).cookies


async def test_guesses_lock_the_account_for_where_they_come_from(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    thief = Browser(api, source="203.0.113.9")
    for _ in range(5):
        assert (await thief.sign_in("anna", "guess")).status == 401
    locked = await thief.sign_in("anna")
    assert (locked.status, locked.headers["Retry-After"]) == (429, "30")
    assert "too many failures from where you are" in locked.words
    owner = Browser(api, source="198.51.100.1")
    assert (await owner.sign_in("anna")).status == 303


async def test_codes_are_wanted_where_they_are_on_and_each_is_good_once(
    api: Api, core: Parts
) -> None:
    tokens = await joined(core, api, "anna")
    token = tokens["access_token"]
    status, secret = await api("POST", "/api/v1/auth/codes", {"password": PASSWORD}, token=token)
    assert status == 200
    key = _octets(secret)
    step = int(time.time()) // STEP
    status, kept = await api(
        "POST", "/api/v1/auth/codes/confirm", {"code": code_at(key, step)}, token=token
    )
    assert status == 200, kept
    browser = Browser(api)
    without = await browser.sign_in("anna")
    assert (without.status, browser.cookies) == (401, {})
    assert "a code of your app is wanted" in without.words
    assert 'value="anna"' in without.text, "the name stays"
    assert PASSWORD not in without.text
    assert (await browser.sign_in("anna", code="000000")).status == 401
    assert (await browser.sign_in("anna", code=code_at(key, step + 1))).status == 303
    again = Browser(api)
    assert (await again.sign_in("anna", code=code_at(key, step + 1))).status == 401, "used"
    recovery = _recovery(kept)
    assert (await again.sign_in("anna", code=recovery)).status == 303
    assert (await Browser(api).sign_in("anna", code=recovery)).status == 401, "used"


def _octets(found: Any) -> bytes:
    import base64

    return base64.b32decode(found["secret"])


def _recovery(found: Any) -> str:
    return str(found["recovery"][0])


async def test_a_cookie_that_was_brought_along_is_never_taken_over(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    await joined(core, api, "ben", "viewer")
    planted = "sgb_" + "a" * 43
    victim = Browser(api, cookies={COOKIE: planted})
    await victim.sign_in("anna")
    assert victim.cookies[COOKIE] != planted
    assert (await Browser(api, cookies={COOKIE: planted}).get("/")).status == 303
    # Nor one that is somebody's: the thief's own session ends where it is signed in over.
    thief = Browser(api)
    await thief.sign_in("ben")
    shared = Browser(api, cookies=dict(thief.cookies))
    await shared.sign_in("anna")
    assert shared.cookies[COOKIE] != thief.cookies[COOKIE]
    assert (await thief.get("/")).status == 303, "it is over"


async def test_signing_out_ends_the_session_and_not_only_the_cookie(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    kept = dict(browser.cookies)
    out = await browser.post("/sign-out", {})
    assert (out.status, out.to) == (303, "/sign-in")
    assert COOKIE not in browser.cookies
    assert (await Browser(api, cookies=kept).get("/")).status == 303
    assert "You are signed out." in (await browser.get("/sign-in")).words
    assert "You are signed out." not in (await browser.get("/sign-in")).words, "said once"


async def test_signing_out_everywhere_ends_browsers_and_programs(api: Api, core: Parts) -> None:
    tokens = await joined(core, api, "anna")
    one, two = Browser(api), Browser(api)
    await one.sign_in("anna")
    await two.sign_in("anna")
    page = await one.get("/account")
    assert page.text.count("<time") == 8, "two browsers and a program, which says no last use"
    done = await one.post("/account", {"do": "everywhere"})
    assert (done.status, done.to) == (303, "/sign-in")
    assert (await one.get("/")).status == (await two.get("/")).status == 303
    assert (await api("GET", "/api/v1/auth/me", token=tokens["access_token"]))[0] == 401


async def test_one_session_is_ended_by_another_but_nobody_elses(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    await joined(core, api, "ben")
    anna, lost, ben = Browser(api), Browser(api), Browser(api)
    for browser, name in ((anna, "anna"), (lost, "anna"), (ben, "ben")):
        await browser.sign_in(name)
    rows = await core.pool.fetch(
        "SELECT s.id, p.name FROM session s JOIN person p ON p.id = s.person "
        "WHERE cookie IS NOT NULL ORDER BY started"
    )
    bens = next(str(row["id"]) for row in rows if row["name"] == "ben")
    refused = await anna.post("/account", {"do": "end", "session": bens})
    assert refused.status == 404
    assert (await ben.get("/")).status == 200
    losts = [str(row["id"]) for row in rows if row["name"] == "anna"][1]
    assert (await anna.post("/account", {"do": "end", "session": losts})).status == 303
    assert (await lost.get("/")).status == 303
    assert (await anna.get("/")).status == 200


@pytest.mark.parametrize("what", ["disabled", "role", "reset", "password", "idle", "absolute"])
async def test_a_session_ends_with_what_it_stands_on(api: Api, core: Parts, what: str) -> None:
    tokens = await joined(core, api, "anna", "operator")
    browser = Browser(api)
    await browser.sign_in("anna")
    assert (await browser.get("/")).status == 200
    match what:
        case "disabled":
            await acting(core, lambda act: person.disable(act, "anna"))
        case "role":
            terms = Terms(role="viewer", tenants=None, mail=None)
            await acting(core, lambda act: person.change(act, "anna", terms))
        case "reset":
            await acting(core, lambda act: person.reset(act, "anna", 3600.0))
        case "password":
            body = {"password": PASSWORD, "new": "another pass phrase"}
            token = tokens["access_token"]
            assert (await api("POST", "/api/v1/auth/password", body, token=token))[0] == 200
        case "idle":
            await core.pool.execute("UPDATE session SET seen = now() - interval '61 minutes'")
        case "absolute":
            await core.pool.execute("UPDATE session SET ends = now()")
    assert (await browser.get("/")).status == 303


async def test_a_link_is_redeemed_without_a_script(api: Api, core: Parts) -> None:
    secret = await invited(core, "anna")
    browser = Browser(api)
    form = {"link": f"https://host/api/v1/auth/link#{secret}", "password": PASSWORD}
    unequal = await browser.post("/sign-in/link", {**form, "again": "x"})
    assert (unequal.status, "the two are not the same" in unequal.words) == (400, True)
    short = await browser.post("/sign-in/link", {**form, "password": "short", "again": "short"})
    assert (short.status, "12 to 512 characters" in short.words) == (400, True)
    done = await browser.post("/sign-in/link", {**form, "again": PASSWORD})
    assert (done.status, done.to) == (303, "/sign-in")
    assert (await browser.sign_in("anna")).status == 303
    used = await browser.post("/sign-in/link", {**form, "again": PASSWORD})
    assert (used.status, "was used" in used.words) == (401, True)


async def test_the_audit_log_says_who_and_that_it_was_in_the_console(api: Api, core: Parts) -> None:
    await joined(core, api, "anna")
    browser = Browser(api, source="198.51.100.7")
    await browser.sign_in("anna")
    await browser.post("/alerts", {"do": "mute", "key": "a:b"})
    await browser.post("/sign-out", {})
    rows = await core.pool.fetch(
        "SELECT action, who, source FROM audit_log WHERE kind = 'console' ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        (action, "anna", "198.51.100.7")
        for action in ("session.begin", "alert.mute", "session.end")
    ]
