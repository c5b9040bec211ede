"""Pages of other origins ask the API where the settings name them, and nowhere else."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import CreateDatabase
from tests.support.control.core import TOKEN, Api, api_of, build, control_core, settings_for

PAGE, OTHER = "https://console.example", "https://console.example.evil.example"
PATHS = ["/api/v2/tenants", "/api/v2/powermta/accounting", "/api/v1/warmup/", "/nowhere"]


@pytest.fixture
async def named(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Api]:
    """An API that two pages may ask."""
    settings = settings_for(
        await create_database("control", build),
        valkey_url,
        allowed_origins=(PAGE, "http://127.0.0.1:3000"),
    )
    async with control_core(settings) as core, api_of(core) as opened:
        yield opened


def told(headers: object) -> dict[str, str]:
    assert hasattr(headers, "items")
    return {k: v for k, v in headers.items() if k.startswith("Access-Control-")}


def preflight(origin: str, method: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": method}


async def test_unless_set_no_answer_says_a_word_of_it(api: Api) -> None:
    for path in PATHS:
        for method in ("OPTIONS", "GET"):
            headers = preflight(PAGE, "GET")
            async with api.session.request(method, api.url + path, headers=headers) as answer:
                assert told(answer.headers) == {}
                assert "Vary" not in answer.headers


@pytest.mark.parametrize("token", ["", TOKEN])
async def test_a_named_page_reads_answers_and_refusals(named: Api, token: str) -> None:
    for path in PATHS:
        headers = {"Origin": PAGE} | ({"X-API-Key": token} if token else {})
        async with named.session.get(named.url + path, headers=headers) as answer:
            assert told(answer.headers) == {
                "Access-Control-Allow-Origin": PAGE,
                "Access-Control-Expose-Headers": (
                    "Allow, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
                ),
            }, path
            assert answer.headers["Vary"] == "Origin"


async def test_a_preflight_of_a_named_page_tells_what_the_path_takes(named: Api) -> None:
    url = f"{named.url}/api/v2/tenants"
    async with named.session.options(url, headers=preflight(PAGE, "POST")) as answer:
        assert answer.status == 204
        found = told(answer.headers)
    assert found["Access-Control-Allow-Origin"] == PAGE
    assert found["Access-Control-Allow-Methods"] == "GET,HEAD,OPTIONS,POST"
    assert {"Authorization", "Content-Type", "X-API-Key"} <= set(
        found["Access-Control-Allow-Headers"].split(", ")
    )
    assert found["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "*", "", PAGE.upper(), f"{PAGE}/", f"{PAGE}:443", f" {PAGE},{PAGE}"]
)
async def test_who_is_not_named_gets_no_leave(named: Api, origin: str) -> None:
    """Compared as a whole: nothing that begins, ends or is spelled like it is it."""
    for path in PATHS:
        for method in ("OPTIONS", "GET"):
            headers = preflight(origin, "GET")
            async with named.session.request(method, named.url + path, headers=headers) as answer:
                assert told(answer.headers) == {}, (method, path)
                assert answer.headers["Vary"] == "Origin"


async def test_an_answer_to_nobodys_page_varies_too(named: Api) -> None:
    async with named.session.get(f"{named.url}/healthz") as answer:
        assert told(answer.headers) == {}
        assert answer.headers["Vary"] == "Origin"
