"""Forms that were open while somebody else changed what they change: nobody reverts what he did not
see, and nothing that was typed is lost. By forms as pages have them, and no script."""

from typing import Any

import pytest

from control.api.tagged import TAGGED
from control.console import seen
from control.console.page import Action, Page
from control.console.views.pages import PAGES
from control.parts import Parts
from tests.integration.console.test_who_sees_what import FORMS, SHOWN, filled
from tests.support.control.browsing import Browser, Posted, Seen
from tests.support.control.core import Api
from tests.support.control.people import PASSWORD, invited, joined

AT = "/tenants/acme"
TENANT = "/api/v2/tenants/acme"
HELD = [(page, name, one) for page in PAGES for name, one in page.actions.items() if one.seen]
SECRET = "correct horse"
PROOF = {"own_password": PASSWORD}


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An admin, with something of each kind that has a tag."""
    await joined(core, api, "anna")
    new = {"name": "acme", "login": "acme", "password": SECRET}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10"}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    assert (await api("PUT", f"{TENANT}/mailboxes/a@acme.example", {"daily_max": 50}))[0] == 200
    await invited(core, "acmes-user", "viewer", ("acme",))
    token = {"name": "acmes-token", "scope": "read", "tenants": ["acme"]}
    assert (await api("POST", "/api/v2/tokens", token))[0] == 201
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def audited(core: Parts) -> int:
    """How much was done."""
    return int(await core.pool.fetchval("SELECT count(*) FROM audit_log"))


async def one_form(anna: Browser, at: str, **wanted: str) -> Posted:
    """As the page has it."""
    [form] = (await anna.get(at)).posted(**wanted)
    return form


def again(page: Seen, do: str, **wanted: str) -> Posted:
    """The same where it was refused; the one of what was tried is before it."""
    return page.posted(do=do, **wanted)[-1]


def test_each_change_of_what_has_a_tag_is_held_or_says_why_not() -> None:
    for page in PAGES:
        for name, one in page.actions.items():
            assert one.seen or one.unseen or one.needs not in TAGGED, (page.path, name)
            assert not one.unseen or one.needs in TAGGED, (page.path, name)


async def test_each_form_says_what_it_shows(anna: Browser, api: Api) -> None:
    found = set()
    for state in range(2):
        if state:
            await _on(api)
        for page in PAGES:
            shown = await anna.get(filled(page, SHOWN))
            assert shown.status == 200, page.path
            for form in shown.posted():
                found |= {(page.path, name) for name in _held(page, form)}
    # Shown where the domain's new key signs, which takes days: its button is of call_off's form.
    found.add(("/domains/{domain}", "finish"))
    assert found == {(page.path, name) for page, name, _ in HELD}


def _held(page: Page, form: Posted) -> list[str]:
    does = [*form.does, form.hidden.get("do", "")]
    held = [name for name in does if name in page.actions and page.actions[name].seen]
    if held:
        assert seen.FIELD in form.hidden, (page.path, held)
        said = seen.of(form.hidden)
        assert len({TAGGED[page.actions[name].needs].of for name in held}) == 1
        for name, text in form.shown.items():
            assert said.was.get(name, "") == text, (page.path, held, name)
    return held


async def _on(api: Api) -> None:
    """To the states in which the other forms are shown."""
    for method, path, body in (
        ("POST", "/api/v2/pools", {"tenant": "acme", "name": "spare"}),
        ("PATCH", "/api/v2/pools/acme", {"overflow": "spare"}),
        ("POST", "/api/v2/pools/spare/pause", None),
        ("POST", f"{TENANT}/login/rotation?login=acme", {"password": "correct horses"}),
        ("POST", f"{TENANT}/networks", {"network": "10.1.0.0/16"}),
        ("POST", f"{TENANT}/pause", None),
        ("POST", "/api/v2/domains/acme.example/rotation", {}),
        ("PATCH", "/api/v2/users/acmes-user", {"disabled": True, "mail": "a@acme.example"}),
    ):
        status, answer = await api(method, path, body)
        assert status < 300, answer


async def test_no_form_changes_what_is_not_as_it_was_shown(anna: Browser, core: Parts) -> None:
    stale = seen.Seen("0" * 32, {}, {}).text()
    before = await audited(core)
    more: dict[str, Any] = {"token": "acmes-token"}
    for page, name, _ in HELD:
        form = {"do": name, **FORMS[page.path, name], "seen": stale}
        form |= {field: text for field, text in more.items() if field in form}
        for sure in ({}, {"sure": "1"}):
            refused = await anna.post(filled(page, SHOWN), form | sure)
            assert refused.status == 412, (page.path, name, sure, refused.words)
            assert "nothing of yours was done" in refused.words
        untold = await anna.post(filled(page, SHOWN), form | {"seen": "", "sure": "1"})
        assert untold.status == 428, (page.path, name)
    assert await audited(core) == before


@pytest.mark.parametrize(("typed", "theirs"), [("2.5", None), ("2.5", 3.5)])
async def test_a_stale_form_reverts_nothing_and_loses_nothing(
    anna: Browser, api: Api, typed: str, theirs: float | None
) -> None:
    form = await one_form(anna, AT, do="set")
    change: dict[str, Any] = {"per_minute": 9, "senders": ["news@acme.example"]}
    if theirs is not None:
        change["weight"] = theirs
    assert (await api("PATCH", TENANT, change))[0] == 200
    _, before = await api("GET", TENANT)
    refused = await anna.post(AT, form.sent("set", weight=typed))
    assert refused.status == 412
    assert "per minute was nothing, and is 9 now" in refused.words
    assert "senders was nothing, and is news@acme.example now" in refused.words
    both = "weight was 1.0, and is 3.5 now; you typed 2.5"
    assert (both in refused.words) is (theirs is not None)
    assert (await api("GET", TENANT))[1] == before
    form = again(refused, "set")
    shown = (form.shown["weight"], form.shown["per_minute"], form.shown["senders"])
    assert shown == (typed, "9", "news@acme.example")
    tried = await anna.post(AT, form.sent("set"))
    assert (tried.status, "not done yet" in tried.words) == (200, True)
    [sure] = [one for one in tried.posted(do="set") if "set" not in one.does]
    done = await anna.post(AT, sure.hidden | {"sure": "1"})
    assert done.status == 303, done.words
    assert (await api("GET", TENANT))[1] == before | {"weight": float(typed)}


async def test_what_was_tried_is_done_only_to_what_it_was_tried_on(anna: Browser, api: Api) -> None:
    form = await one_form(anna, AT, do="set")
    tried = await anna.post(AT, form.sent("set", hours="08:00-18:00", zone="Europe/Paris"))
    assert "not done yet" in tried.words
    assert (await api("PATCH", TENANT, {"strict": True}))[0] == 200
    [sure] = [one for one in tried.posted(do="set") if "set" not in one.does]
    refused = await anna.post(AT, sure.hidden | {"sure": "1"})
    assert refused.status == 412
    assert "strict was no, and is yes now" in refused.words
    found = again(refused, "set").shown
    assert (found["hours"], found["zone"], found["strict"]) == (
        "08:00-18:00",
        "Europe/Paris",
        "yes",
    )
    _, now = await api("GET", TENANT)
    assert (now["hours"], now["strict"]) == ("", True)


@pytest.mark.parametrize("first", ["refused", "tried"])
async def test_a_form_that_comes_again_is_as_old_as_its_texts(
    anna: Browser, api: Api, first: str
) -> None:
    form = await one_form(anna, AT, do="set")
    text = "a lot" if first == "refused" else "2.5"
    if first == "refused":
        assert (await api("PATCH", TENANT, {"per_minute": 9}))[0] == 200
    page = await anna.post(AT, form.sent("set", weight=text))
    assert page.status == (400 if first == "refused" else 200)
    if first == "tried":
        assert (await api("PATCH", TENANT, {"per_minute": 9}))[0] == 200
    refused = await anna.post(AT, again(page, "set").sent("set", weight="2.5", sure="1"))
    assert refused.status == 412, "its field of per_minute is empty still"
    assert (await api("GET", TENANT))[1]["per_minute"] == 9


async def test_of_several_pools_the_one_that_was_sent_comes_again(anna: Browser, api: Api) -> None:
    await _on(api)
    form = await one_form(anna, AT, do="set_pool", pool="acme")
    assert (await api("PATCH", "/api/v2/pools/acme", {"per_minute": 50}))[0] == 200
    refused = await anna.post(AT, form.sent("set_pool", per_hour="700"))
    assert refused.status == 412
    assert "per minute was nothing, and is 50 now" in refused.words
    mine, other = again(refused, "set_pool", pool="acme"), again(refused, "set_pool", pool="spare")
    assert (mine.shown["per_minute"], mine.shown["per_hour"]) == ("50", "700")
    assert (other.shown["per_minute"], other.shown["per_hour"]) == ("", "")
    assert (await anna.post(AT, mine.sent("set_pool", sure="1"))).status == 303
    _, pool = await api("GET", "/api/v2/pools/acme")
    assert (pool["per_minute"], pool["per_hour"]) == (50, 700)


async def test_a_right_that_another_admin_took_is_not_given_back_by_an_old_page(
    anna: Browser, api: Api
) -> None:
    at = "/users/acmes-user"
    form = await one_form(anna, at, do="change")
    assert form.shown["role"] == "viewer"
    change = {"role": "operator", "tenants": ["acme"]}
    assert (await api("PATCH", f"/api/v2{at}", change))[0] == 200
    refused = await anna.post(at, form.sent("change", mail="a@acme.example", **PROOF))
    assert refused.status == 412
    assert "role was viewer, and is operator now" in refused.words
    form = again(refused, "change")
    assert (form.shown["role"], form.shown["mail"]) == ("operator", "a@acme.example")
    assert form.shown["own_password"] == ""
    assert (await anna.post(at, form.sent("change", **PROOF))).status == 303
    _, user = await api("GET", f"/api/v2{at}")
    assert (user["role"], user["mail"]) == ("operator", "a@acme.example")


async def test_what_is_counted_meanwhile_is_no_change(anna: Browser, api: Api, core: Parts) -> None:
    await joined(core, api, "ben", "viewer")
    form = await one_form(anna, "/users/ben", do="change")
    assert (await Browser(api).sign_in("ben")).status == 303
    assert (await api("GET", "/api/v2/users/ben"))[1]["used"] is not None
    assert (await anna.post("/users/ben", form.sent("change", role="admin", **PROOF))).status == 303


async def test_what_is_gone_is_not_there(anna: Browser, api: Api) -> None:
    form = await one_form(anna, "/tokens", do="revoke", token="acmes-token")
    assert (await api("DELETE", "/api/v2/tokens/acmes-token"))[0] == 200
    gone = await anna.post("/tokens", form.sent("revoke", sure="1"))
    assert gone.status == 404


def test_actions_are_held_by_their_route_and_by_nothing_else() -> None:
    def do(_: Any) -> Any:
        raise AssertionError

    assert Action(("PATCH", "/api/v2/tenants/{tenant}"), do, "x").seen
    assert not Action(("POST", "/api/v2/tenants"), do, "x").seen
