"""/api/problems/NAME: the type of every problem leads to a page that says what it is."""

import re
from typing import Any

from control.kinds import KINDS
from tests.support.control.core import Api

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_each_type_has_a_page_for_people_and_one_for_programs(api: Api) -> None:
    for kind in KINDS.values():
        async with api.session.get(api.url + kind.type, headers={"Accept": BROWSER}) as answer:
            page = await answer.text()
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert "Accept" in answer.headers["Vary"].split(", ")
            policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "<script" not in page
        assert not re.search(r"unsafe|script", policy)
        assert not re.search(r"\b(?:src|style|on\w+)=", page)
        assert {str(kind.status), kind.type} <= set(re.findall(r"<dd>([^<]*)</dd>", page))
        async with api.session.get(api.url + kind.type) as answer:
            told = await answer.json()
            assert answer.content_type == "application/json"
        assert (told["type"], told["status"], told["title"]) == (kind.type, kind.status, kind.title)
        assert told["means"] == kind.means
        assert told["fix"]
        assert "{" not in told["fix"]


ACCEPTED = {
    "*/*": "application/json",
    "": "application/json",
    "application/json": "application/json",
    "text/html;q=0.5, application/json": "application/json",
    "text/html;q=0, */*": "application/json",
    "text/html": "text/html",
    BROWSER: "text/html",
}


async def test_who_asks_for_a_page_gets_one(api: Api) -> None:
    for path in ("/api/problems", "/api/problems/", "/api/problems/invalid"):
        for accept, media in ACCEPTED.items():
            async with api.session.get(api.url + path, headers={"Accept": accept}) as answer:
                assert (answer.status, answer.content_type) == (200, media), (path, accept)


async def test_the_list_has_all_and_no_other_is_there(api: Api) -> None:
    _, found = await api("GET", "/api/problems", token="")
    assert [one["type"] for one in found["problems"]] == [k.type for k in KINDS.values()]  # type: ignore[index,call-overload]
    status, refused = await api("GET", "/api/problems/nothing<script>", token="")
    assert (status, refused["type"]) == (404, "/api/problems/not-found")  # type: ignore[index]


def types_of(shared: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    found = shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
    schema = found["content"]["application/problem+json"]["schema"]["allOf"][1]
    enum: list[str] = schema["properties"]["type"]["enum"]
    return enum


async def test_the_description_lists_the_types_that_an_operation_answers(api: Api) -> None:
    _, described = await api("GET", "/api/openapi.json")
    assert isinstance(described, dict)
    properties = described["components"]["schemas"]["Problem"]["properties"]
    assert properties["type"]["enum"] == [kind.type for kind in KINDS.values()]
    for path, method, listed, not_listed in (
        ("/api/v2/pools", "post", "key-reused", "locked"),
        ("/api/v2/pools", "get", "role-too-low", "key-reused"),
        ("/api/v1/auth/login", "post", "locked", "role-too-low"),
        ("/healthz", "get", "our-error", "token-needed"),
        ("/api/v2/powermta/accounting", "post", "signature-refused", ""),
    ):
        answers = described["paths"][path][method]["responses"]
        types = {
            one
            for status, answer in answers.items()
            if status >= "4"
            for one in types_of(described["components"]["responses"], answer)
        }
        assert f"/api/problems/{listed}" in types, path
        assert f"/api/problems/{not_listed}" not in types, path


async def test_the_field_to_blame_and_what_to_do_are_said(api: Api) -> None:
    body = {"name": "a b", "login": "acme", "password": "correct horse"}
    _, one = await api("POST", "/api/v2/tenants", body)
    assert isinstance(one, dict)
    assert (one["type"], one["field"]) == ("/api/problems/invalid", "name")
    assert one["fix"].startswith("correct name as")
    _, two = await api("POST", "/api/v2/tenants", {**body, "login": ""})
    assert isinstance(two, dict)
    assert ("field" in two, {e["field"] for e in two["errors"]}) == (False, {"name", "login"})
    _, three = await api("GET", "/api/v2/tenants?tennant=x")
    assert isinstance(three, dict)
    assert (three["type"], three["field"]) == ("/api/problems/unknown-parameter", "tennant")
    _, four = await api("GET", "/api/v2/tenants", token="")
    assert four["field"] == "Authorization"  # type: ignore[index]
