"""A part that is away is said in its place; what does not need it is shown."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control.embedded.servers.valkey import LocalValkey
from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.browsing import Browser
from tests.support.control.core import Api, api_of, build, control_core, settings_for
from tests.support.control.people import joined
from tests.support.hold.held import hold

IP = "192.0.2.10"


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[LocalValkey]:
    """One of its own, which a test stops."""
    async with LocalValkey(tmp_path / "valkey") as started:
        yield started


@pytest.fixture
async def core(create_database: CreateDatabase, valkey: LocalValkey) -> AsyncIterator[Parts]:
    """On that."""
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey.url)) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With a tenant, its IP and held mail."""
    async with api_of(core) as opened:
        new = {"name": "acme", "login": "acme", "password": "correct horse"}
        assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
        domain = {"tenant": "acme", "domain": "acme.example", "ip": IP}
        assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
        await hold(core.pool, "1aaaa", pool="acme")
        yield opened


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """Signed in while all was well."""
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def test_the_ledger_is_away_and_every_page_says_what_it_cannot_show(
    anna: Browser, valkey: LocalValkey
) -> None:
    await valkey.stop()
    now = await anna.get("/")
    assert now.status == 200
    assert "What IPs used today cannot be shown." in now.words
    assert "Nothing waits." not in now.words, "PostgreSQL knows of held mail"
    held = await anna.get("/held")
    assert (held.status, "anna@gmail.com" in held.words) == (200, True)
    for path in ("/ips", f"/ips/{IP}"):
        seen = await anna.get(path)
        assert (seen.status, seen.headers["Retry-After"]) == (503, "30")
        assert "the ledger is away" in seen.words
        assert seen.headers["Content-Type"].startswith("text/html")


async def test_postgresql_is_away_and_the_page_says_so(
    create_database: CreateDatabase, valkey_url: str
) -> None:
    url = await create_database("control", build)
    async with control_core(settings_for(url, valkey_url)) as core, api_of(core) as api:
        await joined(core, api, "anna")
        browser = Browser(api)
        await browser.sign_in("anna")
        await core.pool.close()
        for path in ("/", "/held", "/alerts"):
            seen = await browser.get(path)
            assert (seen.status, seen.headers["Retry-After"]) == (503, "30")
            assert "PostgreSQL is away" in seen.words
            assert seen.headers["Content-Type"].startswith("text/html")
        assert (await browser.sign_in("anna")).status == 503
        assert (await Browser(api).get("/sign-in")).status == 200
