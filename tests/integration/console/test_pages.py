"""What pages show, and what their forms do: tried first, said in place, done once."""

from collections.abc import AsyncIterator

import pytest

from control.alerts.alert import Raised, event
from control.parts import Parts
from tests.support.control.browsing import Browser
from tests.support.control.core import Api, api_of
from tests.support.control.people import joined
from tests.support.hold.held import hold

IP = "192.0.2.10"


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With a tenant and its IP."""
    async with api_of(core) as opened:
        new = {"name": "acme", "login": "acme", "password": "correct horse"}
        assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
        domain = {"tenant": "acme", "domain": "acme.example", "ip": IP}
        assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
        yield opened


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An operator who is signed in."""
    await joined(core, api, "anna", "operator")
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def state(api: Api) -> str:
    """Of the IP."""
    _, found = await api("GET", f"/api/v2/ips/{IP}")
    assert isinstance(found, dict)
    return str(found["state"])


async def test_an_ip_is_paused_only_once_it_was_shown_what_that_does(
    anna: Browser, api: Api, core: Parts
) -> None:
    form = {"do": "act", "action": "pause", "reason": "a test <b>"}
    tried = await anna.post(f"/ips/{IP}", form)
    assert tried.status == 200
    assert f"{IP} would be paused" in tried.words
    assert await state(api) == "warming", "not done yet"
    assert 'name="reason" value="a test &lt;b&gt;"' in tried.text, "what is done is what was shown"
    done = await anna.post(f"/ips/{IP}", form | {"sure": "1"})
    assert (done.status, done.to) == (303, f"/ips/{IP}")
    assert await state(api) == "paused"
    page = await anna.get(done.to)
    assert f"{IP} is paused" in page.words
    assert "Because: a test <b>" in page.words, "beside the decision"
    assert "is paused until it is resumed" in page.words
    again = await anna.get(done.to)
    assert 'class="notice said"' not in again.text, "said once"
    row = await core.pool.fetchrow(
        "SELECT who, kind, reason FROM audit_log WHERE action = 'ip.set'"
    )
    assert tuple(row) == ("anna", "console", "a test <b>")


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        ({"action": "pause"}, "reason", "is missing"),
        ({"action": "pause", "reason": "x", "days": "a few"}, "days", "a whole number"),
        ({"action": "pause", "reason": "x", "days": "0"}, "days", "&gt;= 1"),
        ({"action": "pause", "reason": "x", "stage": "2"}, "stage", "pause keeps the stage"),
        ({"action": "pause", "reason": "x" * 5000}, "reason", "at most"),
    ],
)
async def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(
    anna: Browser, api: Api, form: dict[str, str], field: str, said: str
) -> None:
    for sure in ({}, {"sure": "1"}):
        wrong = await anna.post(f"/ips/{IP}", {"do": "act", **form, **sure})
        assert wrong.status in (400, 409)
        at = wrong.text.index(f'id="{field}-said"')
        assert f'aria-describedby="{field}-said" aria-invalid="true"' in wrong.text
        assert said in wrong.text[at : at + 300]
        for value in form.values():
            assert f'value="{value}"' in wrong.text
    assert await state(api) == "warming"


async def test_a_refusal_that_blames_no_field_stands_above_with_what_to_do(
    anna: Browser,
) -> None:
    wrong = await anna.post(f"/ips/{IP}", {"do": "act", "action": "resume", "reason": "x"})
    assert wrong.status == 409
    assert f"IP {IP} is not paused" in wrong.words


async def test_held_mail_is_counted_before_it_is_released_and_asked_for_once(
    anna: Browser, core: Parts
) -> None:
    for n in range(3):
        await hold(core.pool, f"{n}aaaa", pool="acme", campaign="spring" if n else "other")
    page = await anna.get("/held?campaign=spring")
    assert page.text.count("anna@gmail.com") == 2
    assert 'id="order-campaign" name="campaign" type="text" value="spring"' in page.text
    form = {"do": "order", "action": "release", "campaign": "spring", "tenant": "acme"}
    tried = await anna.post("/held?campaign=spring", form)
    assert "2 messages match now" in tried.words
    assert not await core.pool.fetchval("SELECT count(*) FROM hold_request")
    done = await anna.post("/held?campaign=spring", form | {"sure": "1"})
    assert (done.status, done.to) == (303, "/held?campaign=spring")
    row = await core.pool.fetchrow("SELECT action, campaign, who FROM hold_request")
    assert tuple(row) == ("release", "spring", "anna")
    assert "Asked for as request" in (await anna.get(done.to)).words


async def test_everything_is_never_dropped_by_leaving_all_out(anna: Browser, core: Parts) -> None:
    await hold(core.pool, "1aaaa", pool="acme")
    wrong = await anna.post("/held", {"do": "order", "action": "drop", "sure": "1"})
    assert wrong.status == 400
    assert wrong.text.count("one of these is needed") >= 5
    assert not await core.pool.fetchval("SELECT count(*) FROM hold_request")


async def test_lists_go_on_where_they_ended(anna: Browser, core: Parts) -> None:
    for n in range(120):
        await hold(core.pool, f"{n:03}aa", pool="acme", recipient=f"r{n}@gmail.com")
    seen: list[str] = []
    path, parts = "/held", 0
    while path:
        page = await anna.get(path)
        found = [f"r{n}@gmail.com" for n in range(120) if f"r{n}@gmail.com<" in page.text]
        assert not set(found) & set(seen)
        seen += found
        parts += 1
        _, _, behind = page.text.partition('rel="next" href="')
        path = behind.partition('"')[0].replace("&amp;", "&")
    assert (len(seen), parts) == (120, 3)


async def test_an_alert_is_known_and_muted_and_told_again(anna: Browser, core: Parts) -> None:
    raised = Raised(key="pool:acme", severity="critical", what="it <i>burns</i>", next="sendgate x")
    async with core.pool.acquire() as connection, connection.transaction():
        await event(connection, await core.calendar(), raised)
    await core.pool.execute("UPDATE alert SET recovered = NULL")
    page = await anna.get("/alerts")
    assert "it &lt;i&gt;burns&lt;/i&gt;" in page.text
    number = str(await core.pool.fetchval("SELECT id FROM alert"))
    known = await anna.post("/alerts", {"do": "ack", "alert": number})
    assert known.status == 303
    assert "known to anna" in (await anna.get("/alerts")).words
    assert (await anna.post("/alerts", {"do": "mute", "key": "pool:acme"})).status == 303
    assert "muted until" in (await anna.get("/alerts")).words
    assert (
        await anna.post("/alerts", {"do": "mute", "key": "pool:acme", "hours": "0"})
    ).status == 303
    page = await anna.get("/alerts")
    assert "pool:acme is told of again" in page.words
    assert "muted until" not in page.words


async def test_what_is_not_there_is_a_page(anna: Browser) -> None:
    for path in ("/nowhere", "/ips/192.0.2.99", "/ips/x"):
        seen = await anna.get(path)
        assert seen.status in (400, 404), path
        assert seen.headers["Content-Type"] == "text/html; charset=utf-8"
        assert 'role="alert"' in seen.text
    assert "does not exist" in (await anna.get("/ips/192.0.2.99")).words
    assert (await anna.get("/held?reason=nonsense")).status == 400
    assert (await anna.get("/held?after=nonsense")).status == 400
    assert (await anna.post("/held", {"do": "nonsense"})).status == 400
