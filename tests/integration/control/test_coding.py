"""Answers are packed for who takes it: as another representation, and never what shows a secret."""

import asyncio
import contextlib
import dataclasses
import gzip
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec
import pytest
from multidict import CIMultiDict

from control.api import coding
from control.api.route import Route
from control.app import routes
from control.parts import Parts
from tests.integration.control.test_conditions import MAILBOX, POOL, stocked
from tests.support.control.core import TOKEN, Api, api_of

__all__ = ["stocked"]

LARGE, SMALL = "/api/openapi.json", "/healthz"
DOMAIN = "/api/v2/domains/example.com"


class Answer(NamedTuple):
    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def packed(self) -> bool:
        return self.headers.get("Content-Encoding") == "gzip"

    @property
    def plain(self) -> bytes:
        return gzip.decompress(self.body) if self.packed else self.body


async def ask(api: Api, path: str, accept: str | None, method: str = "GET", **more: str) -> Answer:
    """As its octets come; `accept` None: nothing is said of codings."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    headers |= {"Authorization": f"Bearer {TOKEN}"}
    headers |= {} if accept is None else {"Accept-Encoding": accept}
    async with api.session.request(
        method, api.url + path, headers=headers, skip_auto_headers=["Accept-Encoding"]
    ) as answer:
        return Answer(answer.status, answer.headers.copy(), await answer.read())


def same(answer: Answer) -> dict[str, str]:
    """Its headers, but for those that no two answers share."""
    found = {name.lower(): value for name, value in answer.headers.items()}
    return {name: found[name] for name in found.keys() - {"date", "x-request-id"}}


@pytest.fixture
def raw(stocked: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Whose bodies are not unpacked by the client."""
    monkeypatch.setattr(stocked.session, "_auto_decompress", False)
    return stocked


@pytest.mark.parametrize(
    "accept",
    ["gzip", "GZIP;q=0.5", "br, gzip", "*", "x-gzip", "gzip, identity", "gzip;q=1.0, *;q=0"],
)
async def test_a_large_answer_is_packed_for_who_takes_it(raw: Api, accept: str) -> None:
    plain = await ask(raw, LARGE, None)
    answer = await ask(raw, LARGE, accept)
    assert (answer.status, answer.packed) == (200, True)
    assert answer.plain == plain.body
    assert len(answer.body) < len(plain.body) / 5
    assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize(
    "accept",
    [None, "", "identity", "gzip;q=0", "br", "gzip;q=0.5, identity", "*;q=0", "gzip;q=0, *"],
)
async def test_who_does_not_take_it_or_likes_it_less_gets_it_plain(
    raw: Api, accept: str | None
) -> None:
    answer = await ask(raw, LARGE, accept)
    assert (answer.status, answer.packed) == (200, False)
    assert "Accept-Encoding" in answer.headers["Vary"]


async def test_a_small_answer_is_packed_where_nothing_else_is_taken(raw: Api) -> None:
    for accept, packed in (("gzip", False), ("gzip, identity;q=0", True), ("gzip, *;q=0", True)):
        assert (await ask(raw, SMALL, accept)).packed is packed


async def test_scrapers_get_what_they_ask_for(raw: Api) -> None:
    plain, packed = await ask(raw, "/metrics", None), await ask(raw, "/metrics", "gzip")
    assert (plain.packed, packed.packed) == (False, True)
    assert b"# HELP" in plain.body
    assert b"# HELP" in packed.plain


async def test_head_says_the_same_as_get(raw: Api) -> None:
    for path in (LARGE, DOMAIN, "/api/docs", "/api/problems"):
        for accept in (None, "gzip"):
            got = await ask(raw, path, accept)
            head = await ask(raw, path, accept, "HEAD")
            assert head.body == b""
            assert same(head) == same(got)
            assert got.packed == (accept is not None), path


async def test_each_representation_has_its_tag_and_both_are_of_one_thing(raw: Api) -> None:
    plain, packed = await ask(raw, DOMAIN, None), await ask(raw, DOMAIN, "gzip")
    assert packed.packed
    tags = plain.headers["ETag"], packed.headers["ETag"]
    assert tags[1] == f'{tags[0][:-1]}-gzip"'
    for accept, tag, status in (
        (None, tags[0], 304),
        ("gzip", tags[1], 304),
        (None, tags[1], 200),
        ("gzip", tags[0], 200),
        ("gzip", f"W/{tags[1]}", 304),
    ):
        answer = await ask(raw, DOMAIN, accept, If_None_Match=tag)
        assert answer.status == status, (accept, tag)
        assert "Accept-Encoding" in answer.headers["Vary"]
        if status == 304:
            assert (answer.body, answer.headers["ETag"]) == (b"", tag.removeprefix("W/"))
            assert not answer.packed
    for tag in tags:
        path = f"{DOMAIN}?dry_run=1&force=1"
        assert (await ask(raw, path, None, "DELETE", If_Match=tag)).status == 200
    other = await ask(raw, f"{DOMAIN}?dry_run=1", "gzip", "DELETE", If_Match='"0-gzip"')
    assert other.status == 412


@contextlib.asynccontextmanager
async def packing(core: Parts, **control: int) -> AsyncIterator[Api]:
    """Another application over the same parts, with these settings."""
    changed = msgspec.structs.replace(core.settings.control, **control)
    settings = msgspec.structs.replace(core.settings, control=changed)
    async with api_of(dataclasses.replace(core, settings=settings)) as api:
        api.session._auto_decompress = False
        yield api


async def test_from_which_size_on_is_a_setting(raw: Api, core: Parts) -> None:
    plain = await ask(raw, DOMAIN, None)
    for least, packed in ((len(plain.body), True), (len(plain.body) + 1, False)):
        async with packing(core, pack_least=least) as api:
            assert (await ask(api, DOMAIN, "gzip")).packed is packed, least


@pytest.mark.parametrize("at_once", [1, 3])
async def test_large_answers_are_packed_off_the_loop_and_few_at_a_time(
    raw: Api, core: Parts, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    here, most = 0, 0
    threads = asyncio.to_thread

    async def counted(work: Any, *given: Any) -> Any:
        nonlocal here, most
        here, most = here + (work is coding.packed), max(most, here + (work is coding.packed))
        try:
            return await threads(work, *given)
        finally:
            here -= work is coding.packed

    monkeypatch.setattr(coding.asyncio, "to_thread", counted)
    async with packing(core, pack_inline=1_024, pack_at_once=at_once) as api:
        answers = await asyncio.gather(*(ask(api, DOMAIN, "gzip") for _ in range(8)))
    assert len(answers[0].plain) > 1_024
    assert all(one.packed and one.body == answers[0].body for one in answers)
    assert 1 <= most <= at_once


SECRETS = {
    *("token", "link", "secret", "uri", "recovery", "password", "pem"),
    *("access_token", "refresh_token"),
}
"""Fields that show one."""
DATES = {("PersonView", "link"), ("Linked", "mail")}
"""Such a name that is of something else: until when a link is good."""


def fields(kind: Any, seen: set[Any]) -> set[tuple[str, str]]:
    """(struct, field) of an answer and all in it."""
    found: set[tuple[str, str]] = set()
    for inner in getattr(kind, "__args__", ()):
        found |= fields(inner, seen)
    struct = getattr(kind, "__origin__", kind)
    if isinstance(struct, type) and issubclass(struct, msgspec.Struct) and struct not in seen:
        seen.add(struct)
        for field in msgspec.structs.fields(struct):
            found |= {(struct.__name__, field.name)} | fields(field.type, seen)
    return found


def shows_a_secret(route: Route) -> bool:
    return any(
        name in SECRETS and (struct, name) not in DATES
        for struct, name in fields(route.answer, set())
    )


def test_each_route_that_shows_a_secret_says_so(core: Parts) -> None:
    found = routes(core)
    shown = {f"{route.method} {route.path}" for route in found if shows_a_secret(route)}
    assert {"POST /api/v2/tokens", "POST /api/v2/users", "GET /api/v2/powermta/keys"} <= shown
    # Somebody's mail may have a link to a new password in it.
    shown.add("GET /api/v2/hold/messages/{message}/content")
    assert shown <= {f"{route.method} {route.path}" for route in found if route.secret}


async def test_what_shows_a_secret_is_never_packed(raw: Api) -> None:
    name = "a" * 60
    body = {"name": name, "scope": "read", "networks": [f"10.0.{n}.0/24" for n in range(99)]}
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "gzip, *;q=0"}
    async with raw.session.post(f"{raw.url}/api/v2/tokens", json=body, headers=headers) as answer:
        made = await answer.read()
        assert (answer.status, answer.headers.get("Content-Encoding")) == (201, None)
    assert len(made) > 1_024
    again = await ask(raw, f"/api/v2/tokens/{name}", "gzip")
    assert again.packed
    assert "Vary" in again.headers


async def test_the_document_says_what_may_be_packed(raw: Api, core: Parts) -> None:
    document = msgspec.json.decode((await ask(raw, LARGE, None)).body)
    for route in routes(core):
        told = document["paths"][route.path][route.method.lower()]["responses"][str(route.status)]
        assert ("Content-Encoding" in told["headers"]) == (not route.secret), route


async def test_the_tags_of_small_things_are_plain(raw: Api) -> None:
    for path in (POOL, MAILBOX):
        assert "-gzip" not in (await ask(raw, path, "gzip")).headers["ETag"]
