"""The pages of domains: records to copy, DNS asked when somebody says so, keys replaced."""

import html

import pytest

from control.console.views.domain import zone
from control.parts import Parts
from control.sources.dns import Record
from tests.support.control.browsing import ANYTHING, Browser, Seen
from tests.support.control.core import Api
from tests.support.control.people import joined

AT = "/domains/acme.example?tenant=acme"


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An operator, with a tenant and its domain."""
    await joined(core, api, "anna", "operator")
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    domain = {"tenant": "acme", "domain": "acme.example", "ip": "192.0.2.10"}
    assert (await api("POST", "/api/v2/domains", domain))[0] == 201
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def tried_then_done(anna: Browser, core: Parts, form: dict[str, str], at: str = AT) -> Seen:
    """Nothing is done until it was shown what it does. Returns what was shown."""
    before = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    tried = await anna.post(at, form)
    assert tried.status == 200, tried.words
    assert "not done yet" in tried.words
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == before
    done = await anna.post(at, form | {"sure": "1"})
    assert done.status == 303, done.words
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") > before
    return tried


async def test_every_record_stands_there_to_copy(anna: Browser, api: Api) -> None:
    _, one = await api("GET", "/api/v2/domains/acme.example?tenant=acme")
    seen = await anna.get(AT)
    block = html.unescape(seen.text.split("<pre")[1].split("<code>")[1].split("</code>")[0])
    assert len(block.splitlines()) == len(one["records"]) > 4
    for record in one["records"]:
        assert f"{record['name']}. {record['type']} " in block
    assert 'acme.example. TXT "v=spf1 ' in block


def test_a_long_text_is_in_parts_as_a_zone_file_has_it() -> None:
    key = "v=DKIM1; p=" + "A" * 400
    line = zone([Record("k._domainkey.acme.example", "TXT", key, "")])
    name, kind, value = line.split(" ", 2)
    parts = value[1:-1].split('" "')
    assert (name, kind, "".join(parts)) == ("k._domainkey.acme.example.", "TXT", key)
    assert all(len(part) <= 255 for part in parts)
    assert zone([Record("a", "TXT", 'say "x" \\', "")]) == 'a. TXT "say \\"x\\" \\\\"'


async def test_dns_is_asked_when_somebody_says_so(anna: Browser) -> None:
    assert "unknown" not in (await anna.get(AT)).words
    seen = await anna.get(f"{AT}&check=1")
    assert seen.status == 200
    for about in ("SPF at", "DKIM at", "PTR at"):
        assert about in seen.words, about


async def test_a_domain_is_added_with_all_that_it_needs(
    anna: Browser, api: Api, core: Parts
) -> None:
    form = {"do": "add", "tenant": "acme", "domain": "Second.Example", "ip": "192.0.2.11"}
    form |= {"pool": "two", "quota": "500"}
    tried = await tried_then_done(anna, core, form, "/domains")
    assert "second.example of tenant acme, pool two" in tried.words
    assert (await api("GET", "/api/v2/domains/second.example"))[0] == 200
    assert "second.example" in (await anna.get("/domains?tenant=acme")).words
    wrong = await anna.post("/domains", form | {"ip": "home", "domain": "third.example"})
    assert (wrong.status, 'aria-invalid="true"' in wrong.text) == (400, True)


async def test_a_key_is_replaced_in_its_stages(anna: Browser, api: Api, core: Parts) -> None:
    form = {"do": "rotate", "selector": "next1", "reason": "its year is over"}
    tried = await tried_then_done(anna, core, form)
    assert "next1._domainkey.acme.example" in tried.words
    seen = await anna.get(AT)
    assert "not every resolver shows the new key yet" in seen.words
    assert "next1._domainkey.acme.example. TXT" in seen.words
    assert "call_off" in seen.forms
    early = await anna.post(AT, {"do": "finish", "sure": "1", "seen": ANYTHING})
    assert early.status == 409
    await tried_then_done(anna, core, {"do": "call_off"})
    _, one = await api("GET", "/api/v2/domains/acme.example")
    assert one["rotation"] is None


async def test_a_domain_moves_and_goes(anna: Browser, api: Api, core: Parts) -> None:
    pool = {"tenant": "acme", "name": "two"}
    assert (await api("POST", "/api/v2/pools", pool))[0] == 201
    ip = {"tenant": "acme", "domain": "b.example", "ip": "192.0.2.12", "pool": "two"}
    assert (await api("POST", "/api/v2/domains", ip))[0] == 201
    tried = await tried_then_done(anna, core, {"do": "move", "pool": "two"})
    assert "record: " in tried.words, "what DNS has to have is shown before"
    _, one = await api("GET", "/api/v2/domains/acme.example")
    assert one["pool"] == "two"
    await tried_then_done(anna, core, {"do": "remove", "force": "1", "reason": "sold"})
    assert (await api("GET", "/api/v2/domains/acme.example"))[0] == 404
