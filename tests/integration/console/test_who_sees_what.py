"""Every page and every form of the table, as every role, and as who is of one tenant."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control.api.permission import PERMISSIONS
from control.console.page import Page
from control.console.views.pages import PAGES
from control.parts import Parts
from control.users.role import PERSON_ROLES, PersonRole
from control.users.role import ROLES as ROLE_ORDER
from tests.support.control.browsing import ANYTHING, Browser, Seen
from tests.support.control.core import Api, api_of
from tests.support.control.people import PASSWORD, invited, joined
from tests.support.hold.held import hold

OTHER = "zzother"
"""In every name of the other tenant: what has it in a page leaked."""
IP, THEIR_IP = "192.0.2.10", "203.0.113.77"
SHOWN: dict[str, str] = {
    "ip": IP,
    "job": "cleanup",
    "user": "acmes-user",
    "tenant": "acme",
    "domain": "acme.example",
    "address": "a@acme.example",
    "server": "pmta1",
}
THEIRS: dict[str, str] = {
    "ip": THEIR_IP,
    "job": "cleanup",
    "user": f"{OTHER}s-user",
    "tenant": OTHER,
    "domain": f"{OTHER}.example",
    "address": f"a@{OTHER}.example",
    "server": "pmta1",
}
NOBODYS: dict[str, str] = {
    "ip": "198.51.100.9",
    "job": "nothing",
    "user": "nobody",
    "tenant": "nobody",
    "domain": "nobody.example",
    "address": "a@nobody.example",
    "server": "nothing",
}
ROLES: tuple[PersonRole, ...] = ("viewer", "operator", "admin")
PROOF = {"own_password": PASSWORD}
FORMS: dict[tuple[str, str], dict[str, Any]] = {
    ("/ips/{ip}", "act"): {"action": "pause", "reason": "a test"},
    ("/held", "order"): {"action": "pause", "tenant": "acme"},
    ("/held", "undo"): {"request": "1"},
    ("/tenants", "add"): {"name": "new", "login": "new", "password": "correct horse"},
    ("/tenants/{tenant}", "set"): {"per_minute": "7"},
    ("/tenants/{tenant}", "pause"): {},
    ("/tenants/{tenant}", "resume"): {},
    ("/tenants/{tenant}", "remove"): {},
    ("/tenants/{tenant}", "add_login"): {"login": "two", "password": "correct horse"},
    ("/tenants/{tenant}", "remove_login"): {"login": "acme", "force": "1"},
    ("/tenants/{tenant}", "rotate"): {"login": "acme", "password": "correct horses"},
    ("/tenants/{tenant}", "call_off"): {"login": "acme"},
    ("/tenants/{tenant}", "finish"): {"login": "acme"},
    ("/tenants/{tenant}", "add_network"): {"network": "10.1.0.0/16"},
    ("/tenants/{tenant}", "remove_network"): {"network": "10.1.0.0/16"},
    ("/tenants/{tenant}", "add_pool"): {"name": "spare"},
    ("/tenants/{tenant}", "set_pool"): {"pool": "acme", "per_minute": "7"},
    ("/tenants/{tenant}", "pause_pool"): {"pool": "acme"},
    ("/tenants/{tenant}", "resume_pool"): {"pool": "acme"},
    ("/tenants/{tenant}", "remove_pool"): {"pool": "acme"},
    ("/domains", "add"): {"tenant": "acme", "domain": "new.example", "ip": "192.0.2.40"},
    ("/domains/{domain}", "rotate"): {"selector": "next1"},
    ("/domains/{domain}", "call_off"): {},
    ("/domains/{domain}", "finish"): {},
    ("/domains/{domain}", "move"): {"pool": "acme"},
    ("/domains/{domain}", "remove"): {},
    ("/mailboxes", "import"): {"tenant": "acme", "csv": "address\nb@acme.example"},
    ("/mailboxes/{address}", "set"): {"daily_max": "7"},
    ("/mailboxes/{address}", "lift"): {},
    ("/powermta", "put"): {"name": "pmta2", "addresses": "10.0.0.9:25"},
    ("/powermta", "apply"): {},
    ("/powermta/{server}", "rollback"): {"version": "1"},
    ("/powermta/{server}", "release"): {},
    ("/powermta/{server}", "remove"): {},
    ("/suppressions", "add"): {"address": "x@y.example", "tenant": "acme"},
    ("/suppressions", "remove"): {"address": "x@y.example", "tenant": "acme", "reason": "y"},
    ("/suppressions", "import"): {"list": "x@y.example", "tenant": "acme"},
    ("/alerts", "ack"): {"alert": "1"},
    ("/alerts", "mute"): {"key": "a:b"},
    ("/reputation", "check"): {"subject": IP},
    ("/reputation", "look"): {"job": "blocklists"},
    ("/jobs", "run"): {"job": "cleanup"},
    ("/jobs/{job}", "run"): {"job": "cleanup"},
    ("/users", "add"): {"name": "new", "role": "viewer", "tenants": "acme", **PROOF},
    ("/users/{user}", "change"): {"role": "operator", "tenants": "acme", **PROOF},
    ("/users/{user}", "disable"): {},
    ("/users/{user}", "enable"): PROOF,
    ("/users/{user}", "reset"): PROOF,
    ("/users/{user}", "sessions"): {},
    ("/users/{user}", "remove"): {},
    ("/tokens", "add"): {"name": "new", "scope": "read", "tenants": "acme", **PROOF},
    ("/tokens", "revoke"): {"token": f"{OTHER}s-token"},
}
"""One of each that would be done, or at least be looked at."""
NOT_NOW: dict[str, set[str]] = {
    # There is no alert to be known, no order to undo, and nobody to be let in again.
    "/alerts": {"ack"},
    "/held": {"undo"},
    "/users/{user}": {"enable"},
    "/domains/{domain}": {"call_off", "finish"},
    "/tenants/{tenant}": {"resume", "call_off", "finish", "resume_pool", "remove_pool"},
}
"""Forms that a page has in another state than these tests look at it in."""
ALL_FORMS = [(page, name) for page in PAGES for name in page.actions]


def may(role: PersonRole, needs: tuple[str, str]) -> bool:
    """Whether it is enough, of all tenants."""
    return ROLE_ORDER.index(PERSON_ROLES[role]) >= ROLE_ORDER.index(PERMISSIONS[needs].role)


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
            of = f"/api/v2/tenants/{name}/mailboxes/a@{name}.example"
            assert (await opened("PUT", of, {"daily_max": 50}))[0] == 200
            await hold(
                *(core.pool, f"1{name}"),
                tenant=name,
                pool=name,
                campaign=name,
                mailbox=f"a@{name}.example",
                recipient=f"to@{name}.example",
            )
            await invited(core, f"{name}s-user", "viewer", (name,))
            token = {"name": f"{name}s-token", "scope": "read", "tenants": [name]}
            assert (await opened("POST", "/api/v2/tokens", token))[0] == 201
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
        if not may(role, page.needs):
            assert (seen.status, page.path) == (403, page.path)
            assert page.menu == "" or f">{page.menu}</a>" not in seen.text
            continue
        assert seen.status == 200, page.path
        forms = set(seen.forms) & set(page.actions)
        if role == "viewer":
            assert not forms, page.path
            assert 'method="post"' not in seen.text.replace('action="/sign-out"', "").replace(
                '<form method="post" >', ""
            ), page.path
        else:
            shown = {name for name, one in page.actions.items() if may(role, one.needs)}
            assert forms == shown - NOT_NOW.get(page.path, set()), page.path


@pytest.mark.parametrize(("page", "name"), ALL_FORMS, ids=lambda x: getattr(x, "path", x))
async def test_a_viewer_is_refused_every_form_and_who_may_is_not(
    api: Api, core: Parts, page: Page, name: str
) -> None:
    form = {"do": name, "seen": ANYTHING, **FORMS[page.path, name]}
    viewer = await browser_of(api, core, "viewer")
    before = await core.pool.fetchval("SELECT count(*) FROM audit_log")
    for sure in ({}, {"sure": "1"}):
        refused = await viewer.post(filled(page, SHOWN), form | sure)
        assert refused.status == 403, sure
        assert re.search("has the role viewer: this needs (operator|admin)", refused.words)
    assert await core.pool.fetchval("SELECT count(*) FROM audit_log") == before
    needs = page.actions[name].needs
    least: PersonRole = "operator" if may("operator", needs) else "admin"
    await joined(core, api, "ben", least)
    other = Browser(api)
    await other.sign_in("ben")
    assert (await other.post(filled(page, SHOWN), form)).status != 403


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
            own = needs is None or (PERMISSIONS[needs].own and may(role, needs))
            wanted = 200 if own else 403
            assert seen.status == wanted, at
            assert OTHER not in seen.text, at
            assert THEIR_IP not in seen.text, at
    for page in PAGES:
        named = await browser.get(filled(page, SHOWN) + f"?tenant={OTHER}")
        assert f"{OTHER}s-" not in named.text, page.path
        assert named.status in (403, 404) or PERMISSIONS[page.needs].mine, page.path
        if "{" in page.path:
            theirs = await browser.get(filled(page, THEIRS))
            allowed = PERMISSIONS[page.needs].own and may(role, page.needs)
            assert theirs.status == (404 if allowed else 403), page.path
            # What was asked for is said again; beyond that it is as of what nobody has.
            nobody = await browser.get(filled(page, NOBODYS))
            assert _refusal(theirs, THEIRS) == _refusal(nobody, NOBODYS), page.path


@pytest.mark.parametrize(("page", "name"), ALL_FORMS, ids=lambda x: getattr(x, "path", x))
async def test_no_form_of_who_is_of_one_tenant_reaches_another(
    api: Api, core: Parts, page: Page, name: str
) -> None:
    browser = await browser_of(api, core, "admin", ("acme",))
    form = {"do": name, "sure": "1", "confirm": "1", "seen": ANYTHING}
    form |= FORMS[page.path, name]
    form |= {field: OTHER for field in ("tenant", "tenants") if field in form}
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


def _refusal(seen: Seen, asked: dict[str, str]) -> str:
    text = re.sub(r"request \w+ in the log", "", seen.words)
    for name in sorted(asked.values(), key=len, reverse=True):
        text = text.replace(name, "…")
    return text
