"""The pages of PowerMTA: what servers run, what would change, the plan brought into force."""

import re

import pytest

from control.console.views.powermta import PAGE, brought
from control.parts import Parts
from control.plan.brought import Brought, BroughtView
from tests.support.control.browsing import Browser
from tests.support.control.core import Api
from tests.support.control.people import joined
from tests.support.control.pmtahost import Host
from tests.support.control.pmtaservers import (
    add,
    api,
    core,
    host,
    settings,
    standing,
    token,
    until_right,
    versions,
)

__all__ = ["api", "core", "host", "settings", "token"]

AT = "/powermta"
ONE = "/powermta/pmta1"


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """An admin."""
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def test_what_a_server_runs_is_shown_with_its_versions(
    anna: Browser, api: Api, host: Host
) -> None:
    assert (await add(api, "192.0.2.10", "acme.example"))[0] == 201
    await until_right(api)
    seen = await anna.get(AT)
    assert seen.status == 200
    assert "pmta1" in seen.words
    assert f'href="{ONE}"' in seen.text
    assert 'hx-trigger="every 3s"' in seen.text, "what is brought into force is seen to come"
    assert "Look again" in seen.words, "without a script, too"
    one = await anna.get(ONE)
    runs = (await standing(api))["running"]
    assert f"version {runs}; agent host1" in one.words.replace(" ;", ";")
    assert "Nothing: the two are the same." in one.words
    assert f"{ONE}?from={runs}&amp;to=plan" in one.text


async def test_versions_are_compared_and_an_older_one_is_put_back_and_ended(
    anna: Browser, api: Api, host: Host, core: Parts
) -> None:
    assert (await add(api, "192.0.2.10", "acme.example"))[0] == 201
    await until_right(api)
    first = (await standing(api))["running"]
    lines = {"lines": "max-smtp-out 7"}
    _, ips = await api("GET", "/api/v2/ips")
    assert isinstance(ips, list)
    vmta = ips[0]["vmta"]
    assert (await api("PUT", f"/api/v2/powermta/own/{vmta}", lines, match="*"))[0] == 200
    await until_right(api)
    second = (await standing(api))["running"]
    assert second != first
    diff = await anna.get(f"{ONE}?from={first}&to={second}")
    assert re.search(r"\+ *max-smtp-out 7", diff.words)
    form = {"do": "rollback", "version": str(first), "reason": "a test"}
    tried = await anna.post(ONE, form)
    assert f"pmta1 would be offered version {first}" in tried.words
    assert (await standing(api))["running"] == second
    done = await anna.post(ONE, form | {"sure": "1"})
    assert done.status == 303, done.words
    assert (await standing(api))["running"] == first
    form = {"do": "apply", "reason": "over"}
    tried = await anna.post(AT, form)
    assert "this would end a rollback" in tried.words
    assert (await standing(api))["running"] == first
    assert (await anna.post(AT, form | {"sure": "1"})).status == 303
    now = await standing(api)
    assert now["right"]
    assert now["running"] > second, "what the plan says, written anew"
    assert (await versions(api))[0]["running"]
    who = await core.pool.fetchval("SELECT kind FROM audit_log WHERE action = 'pmta.rollback'")
    assert who == "console"


async def test_a_server_comes_and_goes(anna: Browser, api: Api, core: Parts) -> None:
    form = {"do": "put", "name": "pmta9", "addresses": "10.0.0.9:2525 [2001:db8::9]:25 mta.example"}
    assert "would be known so" in (await anna.post(AT, form)).words
    assert (await api("GET", "/api/v2/servers/pmta9"))[0] == 404
    assert (await anna.post(AT, form | {"sure": "1"})).status == 303
    _, found = await api("GET", "/api/v2/servers/pmta9")
    assert [(a["host"], a["port"]) for a in found["addresses"]] == [  # type: ignore[call-overload, index]
        ("10.0.0.9", 2525),
        ("2001:db8::9", 25),
        ("mta.example", 25),
    ]
    wrong = await anna.post(AT, form | {"addresses": "10.0.0.9:smtp"})
    assert (wrong.status, "is not host:port" in wrong.words) == (400, True)
    one = "/powermta/pmta9"
    assert (await anna.get(one)).status == 200
    assert (await anna.post(one, {"do": "release", "sure": "1"})).status in (404, 409)
    form = {"do": "remove", "reason": "gone"}
    assert "would be gone" in (await anna.post(one, form)).words
    assert (await anna.post(one, form | {"sure": "1"})).status == 303
    assert (await api("GET", "/api/v2/servers/pmta9"))[0] == 404


async def test_who_is_of_a_tenant_sees_no_server(api: Api, core: Parts) -> None:
    await joined(core, api, "ben", "admin", ("acme",))
    browser = Browser(api)
    await browser.sign_in("ben")
    assert (await browser.get(AT)).status == 403
    assert ">PowerMTA</a>" not in (await browser.get("/")).text
    assert (await browser.post(AT, {"do": "apply", "sure": "1"})).status == 403
    assert PAGE.actions["apply"].tried


def test_what_was_brought_is_said_of_each_server() -> None:
    a = Brought(server="a", version=3, before=2, changed=True, by_hand=["line 7"])
    b = Brought(server="b", version=3, before=3, changed=False)
    done = brought(BroughtView(servers=[a, b], dry_run=False, notes=["x"]))
    assert done.said == "a runs version 3; before it was version 2. b runs version 3 already."
    assert done.notes == ("x", "a: changed by hand: line 7")
