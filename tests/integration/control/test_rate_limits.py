"""Requests a minute by token, person and address: exactly so many, told ahead, and never of what
machines must ask."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from control.api import ratelimit
from control.api.needs import OPEN
from control.app import routes
from control.parts import Parts
from control.store.change import Act
from control.users.token import put
from tests.conftest import CreateDatabase
from tests.support.control.browsing import Browser
from tests.support.control.core import (
    TOKEN,
    Api,
    Command,
    api_of,
    build,
    control_core,
    settings_for,
)
from tests.support.control.people import joined

OTHER = "sgt_" + "o" * 40
LIST = "/api/v2/tenants"
COSTLY = "/api/v2/warmup/growth"
OPEN_PATH = "/api/v1/auth/refresh"
REFRESH = {"refresh_token": "sgr_x"}


@pytest.fixture
async def core(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Parts]:
    """Few a minute, by a clock that stands."""
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, rate_requests=20, rate_costly=3, rate_address=5)
    async with control_core(settings) as core:

        async def act(a: Act) -> None:
            await put(a, "other", OTHER)

        await core.publisher.change("test", act)
        at(core, 1_000.0)
        yield core


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as api:
        yield api


def at(core: Parts, now: float) -> None:
    core.gate.rates.clock = lambda: now


async def asked(
    api: Api, path: str = LIST, token: str = TOKEN, method: str = "GET", **more: Any
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """(status, headers, problem)."""
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
    async with api.session.request(method, api.url + path, headers=headers, **more) as answer:
        payload = await answer.read()
        api.expected.check(
            method, path, answer.status, answer.content_type, msgspec.json.decode(payload or b"{}")
        )
        body = msgspec.json.decode(payload) if answer.status >= 400 else {}
        return answer.status, dict(answer.headers), body


async def test_of_fifty_at_once_exactly_so_many_pass(api: Api, core: Parts) -> None:
    found = await asyncio.gather(*(asked(api) for _ in range(50)))
    assert Counter(status for status, _, _ in found) == {200: 20, 429: 30}
    left = sorted(headers["RateLimit"] for status, headers, _ in found if status == 200)
    assert left == sorted(f'"requests";r={n};t=3' for n in range(20))
    assert core.gate.rates.refused["requests"] == 30
    assert (await asked(api, token=OTHER))[0] == 200, "another's is its own"


async def test_a_refusal_says_when_it_is_allowed_and_then_it_is(api: Api, core: Parts) -> None:
    for _ in range(20):
        status, headers, _ = await asked(api)
        assert (status, headers["RateLimit-Policy"]) == (200, '"requests";q=20;w=60')
    status, headers, problem = await asked(api)
    assert (status, headers["Retry-After"]) == (429, "3")
    assert headers["RateLimit"] == '"requests";r=0;t=3'
    assert headers["RateLimit-Policy"] == '"requests";q=20;w=60'
    assert problem["type"] == "/api/problems/quota-exceeded"
    assert problem["violated-policies"] == ["requests"]
    assert problem["detail"] == (
        "token test asked 20 times within a minute (control.rate_requests)"
    )
    at(core, 1_002.9)
    assert (await asked(api))[0] == 429
    at(core, 1_003.0)
    assert (await asked(api))[0] == 200
    assert (await asked(api))[0] == 429
    at(core, 1_063.1)
    assert (await asked(api))[1]["RateLimit"] == '"requests";r=19;t=3'


async def test_what_is_costly_counts_for_both_or_neither(api: Api, core: Parts) -> None:
    wrong = {"method": "POST", "data": b"{"}
    for n in (2, 1, 0):
        status, headers, _ = await asked(api, COSTLY, **wrong)
        assert (status, headers["RateLimit-Policy"]) == (
            400,
            '"requests";q=20;w=60, "costly";q=3;w=60',
        )
        assert f'"costly";r={n};t=20' in headers["RateLimit"]
    status, headers, problem = await asked(api, COSTLY, **wrong)
    assert (status, headers["Retry-After"]) == (429, "20")
    assert problem["violated-policies"] == ["costly"]
    _, headers, _ = await asked(api)
    assert headers["RateLimit"].startswith('"requests";r=16;'), "the refused one took nothing"
    served = {(route.method, route.path) for route in routes(core)}
    assert served >= ratelimit.COSTLY
    assert {path for _, path in served} >= ratelimit.UNCOUNTED


async def test_a_page_that_asks_what_is_costly_counts_as_that(api: Api, core: Parts) -> None:
    """DNS, asked from the page of a domain; that page without it is a page as any."""
    await joined(core, api, "anna", "viewer")
    anna = Browser(api)
    assert (await anna.sign_in("anna")).status == 303
    page = "/domains/nobody.example"
    for path in (page, f"{page}?check=1", f"{page}?check=1", page, f"{page}?check=1", page):
        assert (await anna.at_once(path)).status == 404
    late = await anna.at_once(f"{page}?check=1")
    assert (late.status, late.headers["Retry-After"]) == (429, "20")
    assert (await anna.at_once(page)).status == 404


async def test_a_stranger_uses_up_no_more_than_its_address_has(api: Api, core: Parts) -> None:
    """Wrong tokens and open paths count together, whatever name a client gives itself."""
    for n in range(5):
        path, token = (LIST, f"sgt_{n}") if n % 2 else (OPEN_PATH, "")
        more = {} if token else {"method": "POST", "json": REFRESH}
        status, headers, _ = await asked(api, path, token, **more)
        assert (status, headers["RateLimit-Policy"]) == (401, '"address";q=5;w=60')
    for headers in ({}, {"X-Forwarded-For": "192.0.2.9"}, {"X-API-Key": "sgt_other"}):
        status, said, problem = await asked(api, token="sgt_new", headers=headers)
        assert (status, said["Retry-After"]) == (429, "12")
        assert problem["detail"].startswith("without a valid token, 127.0.0.1 asked 5 times")
    assert (await asked(api, OPEN_PATH, "", method="POST", json=REFRESH))[0] == 429
    for token in (TOKEN, OTHER):
        assert (await asked(api, token=token))[0] == 200, "from the same address"
    at(core, 1_012.0)
    assert (await asked(api, token="sgt_new"))[0] == 401


async def test_what_machines_must_ask_is_never_refused(api: Api, core: Parts) -> None:
    """Health, PowerMTA's accounting, our agent's long poll and a batch's parts."""
    poll = "/api/v2/powermta/agent/configuration?server=pmta1&agent=a1&wait=0"
    for _ in range(30):
        for path in ("/healthz", "/readyz"):
            status, headers, _ = await asked(api, path, token="")
            assert (status, "RateLimit" in headers) == (200, False), path
    for _ in range(25):
        assert (await asked(api, "/api/v2/powermta/accounting", method="POST"))[0] == 200
        assert (await asked(api, poll))[0] in (200, 304)
    _, headers, _ = await asked(api)
    assert headers["RateLimit"].startswith('"requests";r=19;')


async def test_who_guesses_at_the_accounting_door_is_a_stranger(api: Api, core: Parts) -> None:
    guesses = [
        (await asked(api, "/api/v2/powermta/accounting", f"sgt_{n}", method="POST"))[0]
        for n in range(7)
    ]
    assert guesses == [401] * 5 + [429] * 2
    assert (await asked(api, "/api/v2/powermta/accounting", method="POST"))[0] == 200
    assert core.gate.rates.refused["address"] == 2
    async with api.session.get(
        f"{api.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    ) as answer:
        assert 'sendgate_api_refused{policy="address"} 2.0' in await answer.text()


async def test_0_is_no_limit(create_database: CreateDatabase, valkey_url: str) -> None:
    url = await create_database("control", build)
    settings = settings_for(url, valkey_url, rate_requests=0, rate_costly=0, rate_address=0)
    async with control_core(settings) as core, api_of(core) as api:
        at(core, 1_000.0)
        for _ in range(50):
            status, headers, _ = await asked(api, COSTLY, method="POST", data=b"{")
            assert (status, "RateLimit" in headers) == (400, False)


async def test_the_description_tells_a_429_and_its_headers(api: Api) -> None:
    _, described = await api("GET", "/api/openapi.json")
    assert isinstance(described, dict)
    for path, methods in described["paths"].items():
        if re.fullmatch(r"/(healthz|readyz|api/problems.*)", path):
            assert "429" not in methods["get"]["responses"], path
            continue
        for method, operation in methods.items():
            if (method.upper(), path) in OPEN:
                # Pages that are the same for all are handed out uncounted.
                assert "429" not in operation["responses"], path
                continue
            assert "429" in operation["responses"], (method, path)
            shared = operation["responses"]["429"]["$ref"].rpartition("/")[2]
            told = described["components"]["responses"][shared]["headers"]
            assert set(told) - {"X-Request-Id"} == {
                "Retry-After",
                "RateLimit",
                "RateLimit-Policy",
            }, (method, path)


async def test_a_command_waits_for_its_turn(
    core: Parts, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        await asked(command.api)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        at(core, 1_000.0 + sum(waits))

    monkeypatch.setattr("control.terminal.client.sleep", sleep)
    await command("tenant", "list")
    assert waits == [3]
    at(core, 1_000.0)
    monkeypatch.setattr("control.terminal.client.sleep", waits.append)
    said = await command("tenant", "list", code=1)
    assert "asked 20 times within a minute" in said
    assert said.splitlines()[1].startswith("fix: wait for Retry-After")
    assert len(waits) == 6
