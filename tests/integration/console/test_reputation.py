"""Reputation at the console, with the answers of a real rbldnsd."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from control.parts import Parts
from settings.blocklists import Blocklists
from tests.conftest import CreateDatabase
from tests.support.control.browsing import Browser
from tests.support.control.core import Api, api_of, build, control_core, settings_for
from tests.support.control.people import joined
from tests.support.servers.rbldnsd import needs_rbldnsd, rbldnsd

pytestmark = needs_rbldnsd

BAD, GOOD = "9.9.9.9", "8.8.4.4"
HOSTILE = "<script>alert(1)</script>\u202e$"
LISTS = {
    "list.rbl": (
        "combined",
        f"$DATASET ip4set @\n127.0.0.2 :127.0.0.2:test\n{BAD} :127.0.0.4:{HOSTILE}\n",
    ),
    "errors.rbl": ("ip4trie", "0.0.0.0/0 :127.255.255.254:a public resolver\n"),
}


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """Whose lists are on loopback."""
    with rbldnsd(LISTS) as server:
        asked: dict[str, Any] = {"zones": tuple(LISTS), "domain_zones": (), "timeout": 1.0}
        lists = Blocklists(nameservers=(server.address,), **asked)
        url = await create_database("control", build)
        settings = msgspec.structs.replace(settings_for(url, valkey_url), blocklists=lists)
        async with control_core(settings) as opened:
            yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With a tenant and an IP that is listed."""
    async with api_of(core) as opened:
        new = {"name": "acme", "login": "acme", "password": "correct horse"}
        assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
        for name, ip in (("a.acme-mail.net", BAD), ("b.acme-mail.net", GOOD)):
            domain = {"tenant": "acme", "domain": name, "ip": ip}
            assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
        yield opened


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An operator who is signed in."""
    await joined(core, api, "anna", "operator")
    browser = Browser(api)
    assert (await browser.sign_in("anna")).status == 303
    return browser


async def test_one_ip_is_asked_for_now(anna: Browser) -> None:
    assert "No list was asked yet." in (await anna.get("/reputation")).words
    for ip, said in (
        (BAD, "1 listed, 1 unknown, 0 clean"),
        (GOOD, "0 listed, 1 unknown, 1 clean"),
    ):
        done = await anna.post("/reputation", {"do": "check", "subject": f" {ip} "})
        assert (done.status, done.to) == (303, "/reputation"), done.words
        page = await anna.get("/reputation")
        assert f"{ip} was asked for at 2 lists: {said}." in page.words
    assert "Listed now" in page.words
    assert f"{BAD} list.rbl listed" in page.words
    assert "127.0.0.4" in page.words, "the code as it came"
    assert f"{GOOD} errors.rbl unknown" in page.words, "never listed"
    first = page.words.partition("Listed now")[2].partition("Only")[0]
    assert (f"{BAD} list.rbl" in first, "unknown" in first, GOOD in first) == (True, False, False)
    assert "127.255.255.254: errors.rbl does not answer this resolver" in page.words
    assert '<bdi class="outside">&lt;script&gt;alert(1)' in page.text, "its words are its own"
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    only = await anna.get("/reputation?state=clean")
    assert (f"{GOOD} list.rbl clean" in only.words, BAD in only.words) == (True, False)
    assert (await anna.get("/reputation?state=fine")).status == 400
    for wrong, status in (("192.0.2.99", 404), ("", 404), ("<b>", 404)):
        refused = await anna.post("/reputation", {"do": "check", "subject": wrong})
        assert refused.status == status, refused.words


async def test_a_look_at_all_is_done_now_and_what_is_wrong_stands_first(anna: Browser) -> None:
    done = await anna.post("/reputation", {"do": "look", "job": "blocklists"})
    assert (done.status, done.to) == (303, "/reputation")
    page = await anna.get("/reputation")
    assert "blocklists: done. 2 IPs and" in page.words
    assert "Blocklists, every four hours done" in page.words
    wrong = page.words.partition("What is wrong")[2].partition("Looks at all")[0]
    assert BAD in wrong
    assert "errors.rbl" in wrong, "a list that does not answer, too"
