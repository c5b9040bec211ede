"""The pages of mailboxes: who is behind, whose limits are whose, lists of them."""

import pytest

from control.parts import Parts
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import joined

LIST = "/mailboxes"
AT = "/mailboxes/news%2Fa%40acme.example?tenant=acme"
ADDRESS = "news/a@acme.example"
"""With a slash, which the local part of an address may have (RFC 5321, 4.1.2)."""


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An operator, with a tenant and a mailbox."""
    await joined(core, api, "anna", "operator")
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10"}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    rows = f"address,daily_max,daily_min\n{ADDRESS},100,24\nidle@acme.example,50,\n"
    body = {"csv": rows}
    assert (await api("POST", "/api/v2/tenants/acme/mailboxes/import", body))[0] == 200
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def limits(api: Api) -> dict[str, object]:
    """Of the mailbox's own."""
    _, found = await api("GET", "/api/v2/tenants/acme/mailboxes")
    assert isinstance(found, list)
    return next((one for one in found if one["address"] == ADDRESS), {})


async def test_mailboxes_are_listed_by_how_they_stand(anna: Browser) -> None:
    seen = await anna.get(LIST)
    assert seen.status == 200
    assert ADDRESS in seen.words
    assert f'href="{AT}"' in seen.text
    assert ADDRESS not in (await anna.get(f"{LIST}?status=reached")).words
    named = await anna.get(f"{LIST}?tenant=acme&containing=idle&status=reached")
    assert "idle@acme.example : at most 50 a day" in named.words
    assert "say of which tenant" in (await anna.get(f"{LIST}?containing=idle")).words


async def test_limits_of_one_are_its_own_and_the_tenants_again(
    anna: Browser, api: Api, core: Parts
) -> None:
    seen = await anna.get(AT)
    assert seen.status == 200
    assert 'name="daily_max" type="text" inputmode="numeric" value="100"' in seen.text
    form = {"do": "set", "daily_max": "200", "daily_min": "", "ramp": "5\r\n10", "spacing": ""}
    tried = await anna.post(AT, form)
    assert "daily max from 100 to 200" in tried.words
    assert (await limits(api))["daily_max"] == 100
    assert (await anna.post(AT, form | {"sure": "1"})).status == 303
    own = await limits(api)
    assert (own["daily_max"], own["daily_min"], own["ramp"]) == (200, None, [5, 10])
    bad = await anna.post(AT, {"do": "set", "daily_max": "many", "sure": "1"})
    assert (bad.status, 'value="many"' in bad.text) == (400, True)
    lift = {"do": "lift", "reason": "no more"}
    assert "would hold" in (await anna.post(AT, lift)).words
    assert await limits(api)
    assert (await anna.post(AT, lift | {"sure": "1"})).status == 303
    assert not await limits(api)


async def test_a_list_is_taken_whole_or_not_at_all(anna: Browser, api: Api) -> None:
    form = {"do": "import", "tenant": "acme"}
    wrong = await anna.post(LIST, form | {"csv": "address,daily_max\r\nx@acme.example,many\r\n"})
    assert wrong.status == 400
    assert "daily_max" in wrong.words
    good = form | {"csv": f"address,daily_max\r\n{ADDRESS},70\r\ny@acme.example,9\r\n"}
    tried = await anna.post(LIST, good)
    assert "1 added, 1 changed, 0 unchanged" in tried.words
    assert (await limits(api))["daily_max"] == 100
    assert (await anna.post(LIST, good | {"sure": "1"})).status == 303
    assert (await limits(api))["daily_max"] == 70
