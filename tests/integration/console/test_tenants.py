"""The pages of tenants: every form done once, tried first where it takes something away."""

from typing import Any

import pytest

from control.parts import Parts
from tests.support.control.browsing import ANYTHING, Browser, Seen
from tests.support.control.core import Api
from tests.support.control.people import joined
from tests.support.hold.held import hold

AT = "/tenants/acme"
SECRET = "correct horse"


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An admin, with a tenant and its IP."""
    await joined(core, api, "anna")
    new = {"name": "acme", "login": "acme", "password": SECRET}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10"}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def tenant(api: Api, name: str = "acme") -> Any:
    """As the API shows it."""
    return (await api("GET", f"/api/v2/tenants/{name}"))[1]


async def audited(core: Parts) -> int:
    """How much was done."""
    return int(await core.pool.fetchval("SELECT count(*) FROM audit_log"))


async def tried_then_done(anna: Browser, core: Parts, form: dict[str, str], at: str = AT) -> Seen:
    """Nothing is done until it was shown what it does. Returns what was shown."""
    before = await audited(core)
    tried = await anna.post(at, form)
    assert tried.status == 200, tried.words
    assert "not done yet" in tried.words
    assert await audited(core) == before
    done = await anna.post(at, form | {"sure": "1"})
    assert done.status == 303, done.words
    assert await audited(core) > before
    return tried


async def test_a_tenant_is_added_and_its_password_is_in_no_page(
    anna: Browser, api: Api, core: Parts
) -> None:
    form = {"do": "add", "name": "zen", "login": "zen@mail", "password": "a secret of zen"}
    form |= {"networks": "10.1.0.0/16 10.2.0.0/16", "profile": "mta"}
    tried = await tried_then_done(anna, core, form, "/tenants")
    assert "Tenant zen would be there" in tried.words
    assert "a secret of zen" not in tried.text
    assert "Password, once more" in tried.words
    found = await tenant(api, "zen")
    assert (found["logins"], found["profile"]) == (["zen@mail"], "mta")
    assert found["networks"] == ["10.1.0.0/16", "10.2.0.0/16"]
    assert "zen" in (await anna.get("/tenants")).words
    again = await anna.post("/tenants", form)
    assert again.status == 409
    assert "exists already" in again.words
    assert "a secret of zen" not in again.text


async def test_terms_are_changed_where_the_form_differs_and_nowhere_else(
    anna: Browser, api: Api, core: Parts
) -> None:
    page = await anna.get(AT)
    assert "Recipients a day of each mailbox without a limit of its own" in page.words
    before = await tenant(api)
    form = {
        "do": "set",
        "hours": "08:00-18:00",
        "zone": "Europe/Paris",
        "strict": "yes",
        "senders": "news@acme.example\r\nacme.example",
        "mailbox_ramp": "10, 20\r\n40",
        "weight": "2.5",
        "mailbox_max": "",
        "max_recipients": "100",
        "dsn": "",
    }
    tried = await tried_then_done(anna, core, form)
    assert "acme: strict from no to yes" in tried.words
    assert "max recipients" not in tried.words.split("Leave it")[0], "it is like that already"
    found = await tenant(api)
    expected = {
        "hours": "08:00-18:00",
        "zone": "Europe/Paris",
        "strict": True,
        "senders": ["acme.example", "news@acme.example"],
        "mailbox_ramp": [10, 20, 40],
        "weight": 2.5,
    }
    assert found == before | expected
    shown = (await anna.get(AT)).text
    assert 'value="08:00-18:00"' in shown
    assert "acme.example\nnews@acme.example</textarea>" in shown
    await tried_then_done(anna, core, {"do": "set", "hours": "", "zone": ""})
    assert (await tenant(api))["hours"] == ""
    same = await anna.post(AT, {"do": "set", "weight": "2.5", "sure": "1"})
    assert same.status == 303
    assert "nothing was changed" in (await anna.get(AT)).words


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("weight", "a lot", "number"),
        ("max_recipients", "", "whole number"),
        ("per_minute", "-1", "0"),
        ("mailbox_ramp", "10 twenty", "whole number"),
        ("feedback_id", "(", "feedback_id"),
        ("hours", "late", "HH:MM"),
    ],
)
async def test_what_no_term_can_be_is_said_beside_it(
    anna: Browser, core: Parts, field: str, text: str, said: str
) -> None:
    before = await audited(core)
    refused = await anna.post(AT, {"do": "set", field: text, "zone": "UTC", "sure": "1"})
    assert refused.status == 400, refused.words
    assert said in refused.words
    assert f'id="set-{field}"' in refused.text
    if field != "feedback_id":
        assert 'aria-invalid="true"' in refused.text
    assert await audited(core) == before


async def test_mail_is_stopped_and_goes_on_and_it_says_how_much_waits(
    anna: Browser, api: Api, core: Parts
) -> None:
    await hold(core.pool, "1aaaa", tenant="acme", pool="acme")
    tried = await tried_then_done(anna, core, {"do": "pause"})
    assert "1 held message" in tried.words
    assert (await tenant(api))["paused"]
    assert "Its mail waits." in (await anna.get(AT)).words
    await tried_then_done(anna, core, {"do": "resume"})
    assert not (await tenant(api))["paused"]


async def test_a_login_has_two_passwords_for_a_while(anna: Browser, api: Api, core: Parts) -> None:
    form = {"do": "rotate", "login": "acme", "password": "the next secret", "hours": "2"}
    done = await anna.post(AT, form)
    assert done.status == 303, done.words
    page = await anna.get(AT)
    assert "both are good for now" in page.words
    assert "good until" in page.words
    assert "the next secret" not in page.text
    assert {"call_off", "finish"} <= set(page.forms)
    again = await anna.post(AT, form)
    assert (again.status, "turned away" in again.words) == (409, True)
    await tried_then_done(anna, core, {"do": "call_off", "login": "acme"})
    assert "good until" not in (await anna.get(AT)).words
    assert (await anna.post(AT, form)).status == 303
    tried = await tried_then_done(anna, core, {"do": "finish", "login": "acme"})
    assert "who has it is turned away" in tried.words
    _, [login] = await api("GET", "/api/v2/tenants/acme/logins")
    assert login["former_until"] is None
    wrong = await anna.post(AT, form | {"hours": "many"})
    assert wrong.status == 400
    assert "the next secret" not in wrong.text


async def test_logins_and_networks_come_and_go(anna: Browser, api: Api, core: Parts) -> None:
    last = await anna.post(AT, {"do": "remove_login", "login": "acme"})
    assert (last.status, "no other login" in last.words) == (409, True)
    assert (
        await anna.post(AT, {"do": "add_login", "login": "b", "password": SECRET})
    ).status == 303
    await tried_then_done(anna, core, {"do": "add_network", "network": "10.1.0.0/16"})
    await tried_then_done(anna, core, {"do": "remove_login", "login": "b", "reason": "gone"})
    found = await tenant(api)
    assert (found["logins"], found["networks"]) == (["acme"], ["10.1.0.0/16"])
    await tried_then_done(anna, core, {"do": "remove_network", "network": "10.1.0.0/16"})
    assert (await tenant(api))["networks"] == []
    assert (await anna.post(AT, {"do": "add_network", "network": "home"})).status == 400


async def test_pools_come_go_and_lead_elsewhere(anna: Browser, api: Api, core: Parts) -> None:
    await tried_then_done(anna, core, {"do": "add_pool", "name": "spare"})
    change = {"do": "set_pool", "pool": "acme", "overflow": "spare", "per_minute": "50"}
    tried = await tried_then_done(anna, core, change)
    assert "per minute from nothing to 50" in tried.words
    _, pool = await api("GET", "/api/v2/pools/acme")
    assert (pool["overflow"], pool["per_minute"], pool["per_hour"]) == ("spare", 50, None)
    await tried_then_done(anna, core, {"do": "pause_pool", "pool": "acme"})
    await tried_then_done(anna, core, {"do": "resume_pool", "pool": "acme"})
    assert (await anna.post(AT, {"do": "remove_pool", "pool": "spare"})).status == 409
    await tried_then_done(anna, core, change | {"overflow": ""})
    await tried_then_done(anna, core, {"do": "remove_pool", "pool": "spare"})
    assert [p["name"] for p in (await tenant(api))["pools"]] == ["acme"]


async def test_a_pool_of_another_tenant_is_not_there(anna: Browser, api: Api) -> None:
    new = {"name": "other", "login": "other", "password": SECRET}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    form = {"do": "pause_pool", "pool": "other", "sure": "1", "seen": ANYTHING}
    refused = await anna.post(AT, form)
    assert refused.status == 404
    assert not (await tenant(api, "other"))["pools"][0]["paused"]


async def test_a_tenant_is_removed_once_nothing_is_in_the_way(
    anna: Browser, api: Api, core: Parts
) -> None:
    refused = await anna.post(AT, {"do": "remove"})
    assert refused.status == 409
    assert "pause" in refused.words
    assert (await api("POST", "/api/v2/tenants/acme/pause"))[0] == 200
    tried = await tried_then_done(anna, core, {"do": "remove", "reason": "left", "force": "1"})
    assert "with all that is its own" in tried.words
    assert (await api("GET", "/api/v2/tenants/acme"))[0] == 404
    assert "Tenant acme is gone" in (await anna.get("/tenants")).words
    assert (await anna.get(AT)).status == 404
