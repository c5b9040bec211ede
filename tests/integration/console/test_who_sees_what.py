"""Every page and every form of the table, as every role, and as who is of one tenant."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.api.permission import PERMISSIONS
from control.console.page import Page
from control.console.views.pages import PAGES
from control.parts import Parts
from control.users.role import PersonRole
from tests.support.control.browsing import Browser
from tests.support.control.core import Api, api_of
from tests.support.control.people import joined
from tests.support.hold.held import hold

OTHER = "zzother"
"""In every name of the other tenant: what has it in a page leaked."""
IP, THEIR_IP = "192.0.2.10", "203.0.113.77"
SHOWN: dict[str, str] = {"ip": IP}
THEIRS: dict[str, str] = {"ip": THEIR_IP}
ROLES: tuple[PersonRole, ...] = ("viewer", "operator", "admin")
FORMS: dict[tuple[str, str], dict[str, Any]] = {
    ("/ips/{ip}", "act"): {"action": "pause", "reason": "a test"},
    ("/held", "order"): {"action": "pause", "tenant": "acme"},
    ("/alerts", "ack"): {"alert": "1"},
    ("/alerts", "mute"): {"key": "a:b"},
}
"""One of each that would be done, or at least be looked at."""
ALL_FORMS = [(page, name) for page in PAGES for name in page.actions]


def filled(page: Page, names: dict[str, str]) -> str:
    """Its path."""
    found = page.path
    for name, value in names.items():
        found = found.replace(f"{{{name}}}", value)
    return found


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    """With two tenants, each with an IP and held mail."""
    async with api_of(core) as opened:
        for name, ip in (("acme", IP), (OTHER, THEIR_IP)):
            new = {"name": name, "login": name, "password": "correct horse"}
            assert (await opened("POST", "/api/v2/tenants", new))[0] == 201
            domain = {"tenant": name, "domain": f"{name}.example", "ip": ip}
            assert (await opened("POST", "/api/v2/domains", domain))[0] == 201
            await hold(
                *(core.pool, f"1{name}"),
                tenant=name,
                pool=name,
                campaign=name,
                mailbox=f"a@{name}.example",
                recipient=f"to@{name}.example",
            )
        yield opened


async def browser_of(
    api: Api, core: Parts, role: PersonRole, tenants: tuple[str, ...] | None = None
) -> Browser:
    """Somebody who is signed in."""
    await joined(core, api, "anna", role, tenants)
    browser = Browser(api)
    assert (await browser.sign_in("anna")).status == 303
    return browser


def test_what_a_page_and_a_form_need_is_a_route_of_the_apis_table() -> None:
    for page in PAGES:
        assert page.needs in PERMISSIONS, page.path
        for action in page.actions.values():
            assert action.needs in PERMISSIONS, (page.path, action.label)
    assert set(FORMS) == {(page.path, name) for page, name in ALL_FORMS}, "each is tried below"


@pytest.mark.parametrize("role", ROLES)
async def test_every_page_is_seen_by_every_role_with_the_forms_it_may_send(
    api: Api, core: Parts, role: PersonRole
) -> None:
    browser = await browser_of(api, core, role)
    for page in PAGES:
        seen = await browser.get(filled(page, SHOWN))
        assert seen.status == 200, page.path
        forms = set(seen.forms) & set(page.actions)
        if role == "viewer":
            assert not forms, page.path
            assert 'method="post"' not in seen.text.replace('action="/sign-out"', "").replace(
                '<form method="post" >', ""
            ), page.path
        elif page.path != "/alerts":
            assert forms == set(page.actions), page.path
        else:
            assert "mute" in forms, "there is no alert to be known"


@pytest.mark.parametrize(("page", "name"), ALL_FORMS, ids=lambda x: getattr(x, "path", x))
async def test_a_viewer_is_refused_every_form_and_an_operator_is_not(
    api: Api, core: Parts, page: Page, name: str
) -> None:
    form = {"do": name, **FORMS[page.path, name]}
    viewer = await browser_of(api, core, "viewer")
    before = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    for sure in ({}, {"sure": "1"}):
        refused = await viewer.post(filled(page, SHOWN), form | sure)
        assert refused.status == 403, sure
        assert "has the role read: this needs operator" in refused.words
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == before
    await joined(core, api, "ben", "operator")
    operator = Browser(api)
    await operator.sign_in("ben")
    assert (await operator.post(filled(page, SHOWN), form)).status != 403


@pytest.mark.parametrize("role", ROLES)
async def test_who_is_of_one_tenant_sees_nothing_of_another(
    api: Api, core: Parts, role: PersonRole
) -> None:
    browser = await browser_of(api, core, role, ("acme",))
    pages = [("/", "/"), *((page.path, filled(page, SHOWN)) for page in PAGES)]
    for path, at in [*pages, ("/account", "/account")]:
        for query in ("", "?tenant=acme"):
            seen = await browser.get(at + query)
            needs = next((p.needs for p in PAGES if p.path == path), None)
            wanted = 200 if needs is None or PERMISSIONS[needs].own else 403
            assert seen.status == wanted, at
            assert OTHER not in seen.text, at
            assert THEIR_IP not in seen.text, at
    for page in PAGES:
        assert (await browser.get(filled(page, SHOWN) + f"?tenant={OTHER}")).status in (403, 404)
        if "{" in page.path:
            theirs = await browser.get(filled(page, THEIRS))
            assert theirs.status == 404, page.path
            assert OTHER not in theirs.text


@pytest.mark.parametrize(("page", "name"), ALL_FORMS, ids=lambda x: getattr(x, "path", x))
async def test_no_form_of_who_is_of_one_tenant_reaches_another(
    api: Api, core: Parts, page: Page, name: str
) -> None:
    browser = await browser_of(api, core, "admin", ("acme",))
    form = {"do": name, "sure": "1", "confirm": "1", **FORMS[page.path, name]}
    if "tenant" in form:
        form["tenant"] = OTHER
    before = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    refused = await browser.post(filled(page, THEIRS), form)
    assert refused.status in (403, 404)
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == before


async def test_who_is_of_two_tenants_looks_at_one_at_a_time(api: Api, core: Parts) -> None:
    browser = await browser_of(api, core, "operator", ("acme", OTHER))
    first = await browser.get("/held")
    assert ("to@acme.example" in first.text, f"to@{OTHER}.example" in first.text) == (True, False)
    second = await browser.get(f"/held?tenant={OTHER}")
    assert ("to@acme.example" in second.text, f"to@{OTHER}.example" in second.text) == (False, True)
