"""Every single thing is shown with a tag, and changed only while it is what its asker saw."""

import re
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from control.api.route import Route
from control.api.tagged import TAGGED, UNTAGGED
from control.app import routes
from control.parts import Parts
from tests.integration.control.test_schema import BODIES, PASSWORD
from tests.support.control.core import TOKEN, Api

OWN = "/api/v2/powermta/own/vmta-192-0-2-10"
POOL, MAILBOX = "/api/v2/pools/acme", "/api/v2/tenants/acme/mailboxes/news@example.com"
STRONG = re.compile(r'"[0-9a-f]{32}(\.[0-9a-f]{32})?"')

PLACES = {
    "tenant": "acme",
    "pool": "acme",
    "name": "steady",
    "ip": "192.0.2.10",
    "domain": "example.com",
    "address": "news@example.com",
    "user": "anna",
    "token": "panel",
    "server": "pmta2",
    "plan": "1",
}
ASKED = {
    "DELETE /api/v2/tenants/{tenant}/logins": {"login": "acme-smtp"},
    "POST /api/v2/tenants/{tenant}/login/rotation": {"login": "acme-smtp"},
    "DELETE /api/v2/tenants/{tenant}/login/rotation": {"login": "acme-smtp"},
    "POST /api/v2/tenants/{tenant}/login/rotation/finish": {"login": "acme-smtp"},
    "DELETE /api/v2/tenants/{tenant}/networks": {"network": "192.0.2.0/24"},
    "DELETE /api/v2/suppressions": {"address": "anna@gmail.com", "reason": "she asked for it"},
}
"""What has to stand in a query."""
SHOWN = {
    "/api/v2/tenants/{tenant}/login": {"login": "acme-smtp"},
    "/api/v2/suppressions": {"address": "anna@gmail.com"},
}
"""The same where a thing is shown."""


class Answer(NamedTuple):
    status: int
    tag: str
    body: Any


async def ask(api: Api, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """A `_` in a header's name is a hyphen."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given["Authorization"] = f"Bearer {TOKEN}"
    # A packed answer has a tag of its own (test_coding.py).
    given.setdefault("Accept-Encoding", "identity")
    async with api.session.request(method, api.url + path, json=body, headers=given) as answer:
        text = await answer.read()
        found = await answer.json(content_type=None) if text else None
        return Answer(answer.status, answer.headers.get("ETag", ""), found)


async def tag_of(api: Api, path: str) -> str:
    found = await ask(api, "GET", path)
    assert found.status == 200, (path, found)
    assert STRONG.fullmatch(found.tag), (path, found.tag)
    return found.tag


@pytest.fixture
async def stocked(api: Api) -> Api:
    """With one of each thing."""
    address = {"host": "127.0.0.1", "port": 2526}
    for path, body in (
        ("tenants", {"name": "acme", "login": "acme-smtp", "password": PASSWORD}),
        ("domains", {"tenant": "acme", "domain": "example.com", "ip": "192.0.2.10", "quota": 3}),
        ("tenants/acme/networks", {"network": "192.0.2.0/24"}),
        ("suppressions", {"address": "anna@gmail.com"}),
        ("warmup/plans", {"name": "steady", "quotas": [50, 100]}),
        ("users", {"name": "anna"}),
        ("tokens", {"name": "panel", "scope": "read"}),
        ("servers", {"name": "pmta2", "addresses": [address]}),
    ):
        status, answer = await api("POST", f"/api/v2/{path}", body)
        assert status in (200, 201), answer
    assert (await api("PUT", MAILBOX, {"daily_max": 5}))[0] == 200
    return api


def at(path: str, asked: dict[str, str] | None = None, *, dry: bool = False) -> str:
    """`path` with the place of its thing."""
    places = PLACES | ({"name": "vmta-192-0-2-10"} if "/own/" in path else {})
    query = urlencode({**(asked or {}), **({"dry_run": "1"} if dry else {})})
    return path.format(**places) + (f"?{query}" if query else "")


def test_each_change_says_whether_it_is_of_a_thing(core: Parts) -> None:
    found = routes(core)
    changes = {(route.method, route.path) for route in found} - {
        (route.method, route.path) for route in found if route.method == "GET"
    }
    assert changes == TAGGED.keys() | UNTAGGED.keys()
    assert not TAGGED.keys() & UNTAGGED.keys()
    shown = {route.path for route in found if route.thing is not None}
    assert shown - {"/api/v1/ips/{ip}"} == {taken.of for taken in TAGGED.values()}
    for method, path in changes:
        if method in ("PUT", "PATCH", "DELETE") and (method, path) not in UNTAGGED:
            assert TAGGED[method, path].of in (path, path.rpartition("/")[0])


@pytest.mark.parametrize("of", sorted({taken.of for taken in TAGGED.values()}))
async def test_a_thing_is_shown_with_a_tag_and_not_twice(stocked: Api, of: str) -> None:
    path = at(of, SHOWN.get(of))
    tag = await tag_of(stocked, path)
    for seen in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        found = await ask(stocked, "GET", path, If_None_Match=seen)
        assert found == (304, tag, None), seen
    for unseen in ('"other"', tag.strip('"')):
        assert (await ask(stocked, "GET", path, If_None_Match=unseen)).status == 200
    assert (await ask(stocked, "GET", path, If_Match=tag)).status == 200
    for other in ('"other"', f"W/{tag}"):
        found = await ask(stocked, "GET", path, If_Match=other, If_None_Match=tag)
        assert (found.status, found.tag) == (412, tag)
    assert await ask(stocked, "HEAD", path) == (200, tag, None)
    assert await ask(stocked, "HEAD", path, If_None_Match=tag) == (304, tag, None)


@pytest.mark.parametrize("change", [f"{method} {path}" for method, path in TAGGED])
async def test_a_change_is_made_of_what_was_seen_alone(
    stocked: Api, core: Parts, change: str
) -> None:
    method, path = change.split()
    asked = ASKED.get(change, {})
    of = TAGGED[method, path].of
    shown, dry, real = at(of, SHOWN.get(of)), at(path, asked, dry=True), at(path, asked)
    route = next(r for r in routes(core) if (r.method, r.path) == (method, path))
    body = _body(route)
    before = await ask(stocked, "GET", shown)
    for refused in ({"If_Match": '"other"'}, {"If_Match": f"W/{before.tag}"}, {"If_Match": "x"}):
        for url in (dry, real):
            found = await ask(stocked, method, url, body, **refused)
            assert (found.status, found.tag) == (412, before.tag), (refused, found)
    for refused in ({"If_None_Match": before.tag}, {"If_None_Match": "*"}):
        assert (await ask(stocked, method, real, body, **refused)).status == 412
    assert await ask(stocked, "GET", shown) == before
    for let in ({"If_Match": before.tag}, {"If_Match": "*"}, {"If_None_Match": '"other"'}):
        found = await ask(stocked, method, dry, body, **let)
        assert found.status in (200, 201, 409), (let, found)
    assert await ask(stocked, "GET", shown) == before


def _body(route: Route) -> Any:
    if route.body is None:
        return None
    found = BODIES[route.body.__name__]
    return {**found, "network": "198.51.100.0/24"} if "network" in found else found


async def test_what_is_not_there_is_404_or_made_by_put(stocked: Api) -> None:
    for given in ({"If_Match": "*"}, {"If_Match": '"x"'}, {"If_None_Match": "*"}):
        assert (await ask(stocked, "DELETE", "/api/v2/pools/none", **given)).status == 404
    body = {"lines": "max-smtp-out 5"}
    path = "/api/v2/powermta/own/none"
    assert (await ask(stocked, "PUT", path, body, If_Match="*")).status == 404
    path = "/api/v2/tenants/acme/mailboxes/first@example.com"
    found = await ask(stocked, "PUT", path, {"daily_max": 1}, If_Match="*")
    assert (found.status, found.tag) == (412, "")
    assert (await ask(stocked, "PUT", path, {"daily_max": 1}, If_None_Match="*")).status == 200
    found = await ask(stocked, "PUT", path, {"daily_max": 2}, If_None_Match="*")
    assert (found.status, found.tag) == (412, await tag_of(stocked, path))
    assert (await ask(stocked, "GET", path)).body["limits"]["daily_max"] == 1


async def test_a_whole_text_is_not_replaced_without_a_word_of_what_was_seen(stocked: Api) -> None:
    first, second = {"lines": "max-smtp-out 5"}, {"lines": "max-smtp-out 6"}
    found = await ask(stocked, "PUT", OWN, first)
    assert found.status == 428
    assert (found.body["field"], "If-Match" in found.body["fix"]) == ("If-Match", True)
    assert (await ask(stocked, "GET", OWN)).body["lines"] == ""
    assert (await ask(stocked, "PUT", f"{OWN}?dry_run=1", first)).status == 200
    tag = await tag_of(stocked, OWN)
    assert (await ask(stocked, "PUT", OWN, first, If_Match=tag)).status == 200
    assert (await ask(stocked, "PUT", OWN, second, If_Match=tag)).status == 412
    assert (await ask(stocked, "GET", OWN)).body["lines"] == "max-smtp-out 5\n"
    assert (await ask(stocked, "PUT", OWN, second, If_Match="*")).status == 200


async def test_a_condition_that_cannot_be_held_is_refused(stocked: Api) -> None:
    new = {"tenant": "acme", "name": "fast"}
    for given in ({"If_Match": "*"}, {"If_None_Match": "*"}):
        assert (await ask(stocked, "POST", "/api/v2/pools", new, **given)).status == 412
    assert (await ask(stocked, "GET", "/api/v2/pools/fast")).status == 404


async def test_what_is_measured_meanwhile_is_in_the_tag_and_in_nobodys_way(
    stocked: Api, core: Parts
) -> None:
    path = "/api/v2/tokens/panel"
    tag = await tag_of(stocked, path)
    await core.gate.tokens.note_use("panel", await core.publisher.now())
    later = await tag_of(stocked, path)
    assert later != tag
    assert (await ask(stocked, "GET", path, If_None_Match=tag)).status == 200
    body = {"networks": ["192.0.2.0/24"]}
    assert (await ask(stocked, "PATCH", path, body, If_Match=tag)).status == 200
    found = await ask(stocked, "PATCH", path, {"networks": []}, If_Match=later)
    assert (found.status, found.tag) == (412, await tag_of(stocked, path))


async def test_a_condition_tells_nothing_of_who_is_out_of_reach(stocked: Api) -> None:
    made = await ask(
        stocked, "POST", "/api/v2/tokens", {"name": "own", "scope": "admin", "tenants": ["acme"]}
    )
    headers = {"Authorization": f"Bearer {made.body['token']}", "If-Match": '"x"'}
    for path in ("users/anna", "users/nobody", "tokens/panel", "tokens/none"):
        url = f"{stocked.url}/api/v2/{path}"
        async with stocked.session.delete(url, headers=headers) as answer:
            assert (answer.status, "ETag" in answer.headers) == (404, False), path


async def test_the_document_says_of_tags_and_conditions(stocked: Api) -> None:
    _, document = await stocked("GET", "/api/openapi.json")
    assert isinstance(document, dict)
    for (method, path), taken in TAGGED.items():
        shown = document["paths"][taken.of]["get"]
        assert "ETag" in shown["responses"]["200"]["headers"]
        assert {"304", "412"} <= shown["responses"].keys()
        change = document["paths"][path][method.lower()]
        names = {one["name"] for one in change["parameters"] if one["in"] == "header"}
        assert {"If-Match", "If-None-Match"} <= names
        assert "412" in change["responses"]
        assert ("428" in change["responses"]) == bool(taken.needed)
