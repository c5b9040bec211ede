"""What is sent and answered is of a type that both sides said: else 415 or 406, and nothing was
done."""

import gzip

import aiohttp
import pytest

from control.api.negotiation import media
from control.app import routes
from control.parts import Parts
from tests.integration.control.test_methods import concrete
from tests.integration.control.test_schema import BODIES
from tests.support.control.core import TOKEN, Api, Command

TOKENED = {"Authorization": f"Bearer {TOKEN}"}
POOLS = "/api/v2/pools"
BODY = b'{"tenant": "acme", "name": "fast"}'


async def send(api: Api, data: bytes = BODY, **headers: str) -> aiohttp.ClientResponse:
    given = {**TOKENED, **{name.replace("_", "-"): value for name, value in headers.items()}}
    skipped = [] if "Content_Type" in headers else ["Content-Type"]
    url = f"{api.url}{POOLS}?dry_run=1"
    async with api.session.post(
        url, data=data, headers=given, skip_auto_headers=skipped
    ) as response:
        await response.read()
    return response


async def names(api: Api) -> list[str]:
    _, found = await api("GET", POOLS)
    assert isinstance(found, list)
    return [pool["name"] for pool in found]


@pytest.fixture
async def acme(api: Api) -> Api:
    new = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    return api


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;charset=ISO-8859-1",
        "application/octet-stream",
        "",
    ],
)
async def test_json_is_taken_however_it_is_said(acme: Api, kind: str) -> None:
    assert (await send(acme, Content_Type=kind)).status == 201


async def test_json_without_a_type_is_taken(acme: Api) -> None:
    answer = await send(acme)
    assert "Content-Type" not in answer.request_info.headers
    assert answer.status == 201


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/jsonx",
        "application/gzip",
        "json",
    ],
)
async def test_another_type_is_415_and_says_which_is_taken(acme: Api, kind: str) -> None:
    url, headers = f"{acme.url}{POOLS}", {**TOKENED, "Content-Type": kind}
    async with acme.session.post(url, data=BODY, headers=headers) as answer:
        assert answer.status == 415
        assert answer.headers["Accept"] == "application/json"
        assert answer.content_type == "application/problem+json"
        assert "application/json" in (await answer.json())["detail"]
    assert await names(acme) == ["acme"]


async def test_a_packed_body_is_taken_and_another_coding_is_415(acme: Api) -> None:
    assert (await send(acme, gzip.compress(BODY), Content_Encoding="gzip")).status == 201
    assert (await send(acme, Content_Encoding="identity")).status == 201
    for coding in ("br", "gzip, deflate"):
        answer = await send(acme, Content_Encoding=coding)
        assert answer.status == 415
        assert answer.headers["Accept-Encoding"] == "gzip"


async def test_every_route_with_a_body_refuses_a_form(acme: Api, core: Parts) -> None:
    """A form is what any page of a browser can post; and refused is refused before all else."""
    headers = {**TOKENED, "Content-Type": "application/x-www-form-urlencoded"}
    asked = [route for route in routes(core) if route.body is not None]
    assert {route.body.__name__ for route in asked} == BODIES.keys()
    for route in asked:
        url = acme.url + concrete(route.path)
        async with acme.session.request(route.method, url, data=b"{", headers=headers) as answer:
            assert answer.status == 415, route


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        "APPLICATION/JSON",
        "text/html, application/xhtml+xml, */*;q=0.8",
        "application/json;q=0.001",
        "application/json;profile=x, text/plain;q=0",
        "",
        ",",
        'text/plain;a="x,y", application/json',
    ],
)
async def test_what_is_accepted_is_answered(acme: Api, accept: str) -> None:
    assert (await send(acme, Accept=accept)).status == 201


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/*",
        "application/xml, text/plain",
        "application/json;q=0",
        "*/*, application/json; Q=0.000",
        "*/*;q=0",
        "application/*;q=0, */*",
        'text/html;a="application/json"',
        "application/problem+json",
    ],
)
async def test_what_is_left_out_is_406_before_anything_is_done(acme: Api, accept: str) -> None:
    url, headers = f"{acme.url}{POOLS}", {**TOKENED, "Accept": accept}
    async with acme.session.post(url, data=BODY, headers=headers) as answer:
        assert answer.status == 406
        assert answer.content_type == "application/problem+json"
        assert "application/json" in (await answer.json())["detail"]
    assert await names(acme) == ["acme"]


async def test_an_error_is_told_to_who_accepts_anything_else(acme: Api) -> None:
    headers = {**TOKENED, "Accept": "application/json"}
    async with acme.session.get(f"{acme.url}{POOLS}/none", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_every_route_answers_406_to_who_accepts_none_of_its_types(
    acme: Api, core: Parts
) -> None:
    headers = {**TOKENED, "Accept": "image/png"}
    for route in routes(core):
        url = acme.url + concrete(route.path)
        async with acme.session.request(route.method, url, headers=headers) as answer:
            assert answer.status == 406, route
            title = (await answer.json())["detail"]
        assert all(kind in title for kind in media(route))
    for path in ("/api/openapi.json", "/api/v1/auth/link"):
        async with acme.session.get(acme.url + path, headers=headers) as answer:
            assert answer.status == 406, path


async def test_scrapers_and_our_own_command_get_texts(acme: Api, command: Command) -> None:
    prometheus = (
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    )
    for accept in (prometheus, "text/plain;version=0.0.4"):
        headers = {**TOKENED, "Accept": accept}
        async with acme.session.get(f"{acme.url}/metrics", headers=headers) as answer:
            assert answer.status == 200
    assert "# PowerMTA" in await command("pmta", "config")


@pytest.mark.parametrize("path", [POOLS, "/api/v2/nothing", "/healthz", "/metrics"])
async def test_an_expectation_that_is_not_held_is_a_problem_before_anything_is_done(
    acme: Api, path: str
) -> None:
    for method in ("GET", "POST", "DELETE"):
        headers = {**TOKENED, "Expect": "birds", "X-Request-Id": "mine"}
        url = f"{acme.url}{path}"
        async with acme.session.request(method, url, data=b"{}", headers=headers) as answer:
            assert (answer.status, answer.content_type) == (417, "application/problem+json")
            told = await answer.json()
        assert (told["type"], told["field"]) == ("/api/problems/expectation", "Expect")
        assert told["request_id"] == answer.headers["X-Request-Id"] == "mine"
    async with acme.session.head(f"{acme.url}{path}", headers=headers) as answer:
        assert (answer.status, await answer.read()) == (417, b"")
    assert (await send(acme, Expect="100-continue")).status == 201
