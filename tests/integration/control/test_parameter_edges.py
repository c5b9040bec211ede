"""What the document says at the edges of a parameter is what the API does there."""

from typing import Any

import pytest

from control.api import openapi
from control.parts import Parts
from tests.support.control.core import Api
from tests.support.control.schema import Judge

LONG = "0" * 1001

REFUSED = (
    ("GET", "/api/v2/explain/{message}", {"message": LONG}),
    ("GET", "/api/v2/hold/messages/{message}", {"message": LONG}),
    ("GET", "/api/v2/messages", {"message": LONG}),
    ("GET", "/api/v2/domains", {"limit": "0"}),
    ("GET", "/api/v2/domains", {"limit": "1001"}),
    ("GET", "/api/v2/accounting/bypass", {"days": "367"}),
    ("GET", "/api/v2/days", {"limit": "0"}),
    ("GET", "/api/v2/days", {"limit": "1001"}),
    ("GET", "/api/v2/accounting/forgetting", {"limit": "0"}),
    ("GET", "/api/v2/powermta/versions", {"limit": "0"}),
    ("GET", "/api/v2/accounting/bypass", {"days": "0"}),
    ("GET", "/api/v2/accounting/bypass", {"days": ""}),
    ("POST", "/api/v2/days/consolidate", {"day": ""}),
    ("GET", "/api/v2/days/{day}", {"day": "0"}),
    ("POST", "/api/v2/jobs/{job}/run", {"job": "cleanup", "reason": ""}),
    ("GET", "/api/v2/powermta/diff", {"from": ""}),
    ("DELETE", "/api/v2/tenants/{tenant}/logins", {"tenant": "acme", "login": ""}),
    ("DELETE", "/api/v2/tenants/{tenant}/networks", {"tenant": "acme", "network": ""}),
    ("DELETE", "/api/v2/suppressions", {"address": ""}),
)


@pytest.mark.parametrize(("method", "path", "given"), REFUSED)
async def test_document_and_api_refuse_the_same(
    api: Api, core: Parts, method: str, path: str, given: dict[str, str]
) -> None:
    async with api.session.get(api.url + openapi.PATH) as response:
        document: dict[str, Any] = await response.json()
    judge = Judge(document)
    said = document["paths"][path][method.lower()]["parameters"]
    kinds = {one["name"]: one["schema"] for one in said}
    assert not all(judge.takes(kinds[name], text) for name, text in given.items())
    query = "&".join(f"{name}={text}" for name, text in given.items() if f"{{{name}}}" not in path)
    status, answer = await api(method, path.format(**given) + f"?{query}")
    assert status == 400, answer


TAKEN = (
    ("/api/v2/domains", {"limit": "1"}),
    ("/api/v2/domains", {"limit": "001000"}),
    ("/api/v2/days", {"limit": "1000"}),
    ("/api/v2/accounting/forgetting", {"limit": "1000"}),
    ("/api/v2/powermta/versions", {"limit": "1000", "server": "pmta1"}),
    ("/api/v2/accounting/bypass", {"days": "366"}),
    ("/api/v2/accounting/bypass", {"days": "001"}),
)


@pytest.mark.parametrize(("path", "given"), TAKEN)
async def test_document_and_api_take_the_same(api: Api, path: str, given: dict[str, str]) -> None:
    async with api.session.get(api.url + openapi.PATH) as response:
        document: dict[str, Any] = await response.json()
    judge = Judge(document)
    kinds = {one["name"]: one["schema"] for one in document["paths"][path]["get"]["parameters"]}
    assert all(judge.takes(kinds[name], text) for name, text in given.items())
    query = "&".join(f"{name}={text}" for name, text in given.items())
    status, answer = await api("GET", f"{path}?{query}")
    assert status == 200, answer


@pytest.mark.parametrize("name", ["logins", "networks", "suppressions"])
async def test_what_is_needed_is_said_to_be(api: Api, name: str) -> None:
    path = (
        "/api/v2/suppressions" if name == "suppressions" else f"/api/v2/tenants/{{tenant}}/{name}"
    )
    async with api.session.get(api.url + openapi.PATH) as response:
        document: dict[str, Any] = await response.json()
    said = document["paths"][path]["delete"]["parameters"]
    needed = {one["name"] for one in said if one["required"] and one["in"] == "query"}
    assert len(needed) == 1
    status, answer = await api("DELETE", path.format(tenant="acme"))
    assert status == 400, answer
    assert answer["errors"][0]["field"] in needed  # type: ignore[index,call-overload]


async def test_a_batch_without_a_body_is_taken_and_said_to_be(core: Parts, api: Api) -> None:
    path = "/api/v2/powermta/accounting"
    async with api.session.get(api.url + openapi.PATH) as response:
        document: dict[str, Any] = await response.json()
    assert document["paths"][path]["post"]["requestBody"]["required"] is False
    assert await api("POST", path) == (200, {"batch": None})
