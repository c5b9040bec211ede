"""Every path answers HEAD where it answers GET, OPTIONS, and 405 with all that it allows."""

import re
from collections.abc import Iterable

import aiohttp
import pytest

from control.api import openapi
from control.app import application
from control.parts import Parts
from tests.support.control.core import TOKEN, Api

TOKENED = {"Authorization": f"Bearer {TOKEN}"}
VALUES = {"ip": "192.0.2.10", "domain": "example.com", "address": "news@acme.example"}
OFTEN = {"Date", "RateLimit", "X-Request-Id"}
"""Headers that no two answers share."""


def concrete(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: VALUES.get(found[1], "7"), template)


def fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.rstrip("/")) is not None


async def table(api: Api) -> dict[str, set[str]]:
    """Path to its methods, from the API's description, which other tests hold to be true."""
    _, described = await api("GET", openapi.PATH)
    assert isinstance(described, dict)
    return {path: {m.upper() for m in ms} for path, ms in described["paths"].items()}


def allowed(path: str, said: dict[str, set[str]]) -> set[str]:
    """What every pattern that fits the path allows."""
    methods = {m for template, ms in said.items() if fits(template, path) for m in ms}
    return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


def served(core: Parts) -> list[str]:
    """Each path there is, also as older systems write it, with a slash behind."""
    resources = application(core).router.resources()
    return sorted({concrete(resource.canonical) for resource in resources})


def listed(answer: aiohttp.ClientResponse) -> list[str]:
    return answer.headers["Allow"].split(",")


@pytest.mark.parametrize("headers", [{}, TOKENED], ids=["without a token", "with one"])
async def test_options_and_405_name_all_that_a_path_allows(
    api: Api, core: Parts, headers: dict[str, str]
) -> None:
    said = await table(api)
    paths = served(core)
    assert any(path.endswith("/") for path in paths)
    for path in paths:
        wanted = sorted(allowed(path, said))
        async with api.session.options(api.url + path, headers=headers) as answer:
            assert (answer.status, listed(answer)) == (204, wanted), path
            assert await answer.read() == b""
            assert answer.headers["X-Request-Id"]
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"}.difference(wanted):
            async with api.session.request(method, api.url + path, headers=headers) as answer:
                assert (answer.status, listed(answer)) == (405, wanted), (method, path)
                assert answer.content_type == "application/problem+json"


async def test_options_of_no_path_is_404(api: Api) -> None:
    for headers in ({}, TOKENED):
        async with api.session.options(f"{api.url}/nowhere", headers=headers) as answer:
            assert answer.status == 404
            assert "Allow" not in answer.headers


def same(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name not in OFTEN}


@pytest.mark.parametrize("headers", [{}, TOKENED], ids=["without a token", "with one"])
async def test_head_is_get_without_its_body(api: Api, core: Parts, headers: dict[str, str]) -> None:
    said = await table(api)
    asked = [path for path in served(core) if "GET" in allowed(path, said)]
    assert len(asked) > 50
    seen = set()
    for path in asked:
        url = api.url + path
        async with api.session.get(url, headers=headers) as got:
            await got.read()
        async with api.session.head(url, headers=headers) as head:
            assert await head.read() == b""
        async with api.session.get(url, headers=headers) as again:
            await again.read()
        assert head.status == got.status, path
        assert head.headers.keys() == got.headers.keys(), path
        # What tells the time may have another length from one answer to the next.
        if same(got.headers.items()) == same(again.headers.items()):
            assert same(head.headers.items()) == same(got.headers.items()), path
        seen.add(head.status)
    assert seen >= ({200, 404} if headers else {200, 401})
