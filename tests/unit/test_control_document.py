"""Rules of the API's document: each operation says what it does, what it needs, each status it may
answer, and shows what is right."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from control.api import body, telling
from control.api.example import Examples, NoExampleError
from control.api.needs import OPEN
from control.offline import route_table
from control.users.role import ALL_ROLES
from tests.support.control.document import table, whole
from tests.support.control.schema import Judge

JSON = ("application/json", "application/problem+json")


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in whole()["paths"].items():
        for method, one in methods.items():
            yield f"{method.upper()} {path}", one


def refered(answer: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in answer:
        return answer
    found: dict[str, Any] = whole()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return found


def test_each_says_what_it_does_and_what_it_needs() -> None:
    by = {f"{one.method} {one.path}": one for one in table()}
    for name, one in operations():
        need = by[name]
        assert one["summary"] == need.summary
        assert not one["summary"].endswith("."), name
        assert one["description"].startswith(one["summary"])
        assert need.sentence in one["description"]
        assert one["x-sendgate-roles"] == need.roles
        assert set(need.roles) <= set(ALL_ROLES)
        assert one["x-sendgate-tenants"] == need.tenants
        assert (one["security"] == []) == (need.role == ""), name


def test_each_has_one_tag_that_is_explained_and_a_name_of_its_own() -> None:
    said = {tag["name"]: tag["description"] for tag in whole()["tags"]}
    assert all(said.values()), "give the new noun its words in control/api/telling.py: TAGS"
    assert {tag for _, one in operations() for tag in one["tags"]} == set(said) == set(telling.TAGS)
    assert all(len(one["tags"]) == 1 for _, one in operations())
    names = Counter(one["operationId"] for _, one in operations())
    assert [name for name, times in names.items() if times > 1] == []
    assert all(re.fullmatch("[A-Za-z0-9_]+", name) for name in names)


def test_each_parameter_is_explained_and_shown() -> None:
    judge = Judge(whole())
    for name, one in operations():
        for parameter in one["parameters"]:
            where = name, parameter["name"]
            assert parameter["description"], where
            assert judge.takes(parameter["schema"], parameter["example"]), where


def test_each_body_shows_one_that_the_door_takes() -> None:
    judge = Judge(whole())
    for name, one in operations():
        for media, content in one.get("requestBody", {}).get("content", {}).items():
            if media in JSON and "$ref" in content["schema"]:
                assert judge.takes(content["schema"], content["example"]), name


async def test_each_example_of_a_body_is_one_of_its_struct() -> None:
    from control.app import routes
    from control.parts import put_together
    from policy.ledger.connection import connect
    from settings.model import Settings

    settings = Settings()
    parts = put_together(settings, None, connect(settings.ledger.url))
    for route in routes(parts):
        if route.body is not None:
            said = whole()["paths"][route.path][route.method.lower()]["requestBody"]["content"]
            shown = said["application/json"]["example"]
            body.decode(msgspec.json.encode(shown), route.body)


def test_each_answer_is_explained_and_shown() -> None:
    judge = Judge(whole())
    for name, one in operations():
        assert "default" not in one["responses"], name
        for status, answer in one["responses"].items():
            found = refered(answer)
            assert found["description"], (name, status)
            for media, content in found.get("content", {}).items():
                if media in JSON:
                    assert judge.takes(content["schema"], content["example"]), (name, status)


def test_each_says_each_status_that_all_of_its_kind_may_answer() -> None:
    by = {f"{one.method} {one.path}": one for one in table()}
    for name, one in operations():
        said = {int(status) for status in one["responses"]}
        assert said >= {400, 500, 503} or tuple(name.split(" ")) in OPEN, name
        assert any(status < 400 for status in said)
        if by[name].role:
            assert said >= {401, 403}, name
        if "{" in name:
            assert 404 in said, name
        if "requestBody" in one:
            assert 413 in said, name
        if not name.startswith("GET"):
            assert 409 in said, name


async def test_a_table_without_a_server_is_the_one_of_the_document() -> None:
    said = {name for name, _ in operations()}
    assert {f"{one.method} {one.path}" for one in await route_table()} == said


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "string", "pattern": "^[0-9]+$"}, "1"),
        ({"type": ["string", "null"]}, "text"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, False),
        ({"type": "array", "items": {"enum": [None, "b"]}}, ["b"]),
        ({"type": "object", "properties": {"tenant": {"type": "string"}}}, {"tenant": "acme"}),
    ],
)
def test_an_example_is_made_from_its_schema(schema: dict[str, Any], wanted: Any) -> None:
    assert Examples({}).of(schema) == wanted


def test_there_is_no_wrong_example() -> None:
    with pytest.raises(NoExampleError):
        Examples({}).of({"type": "string", "pattern": "^nobody knows this$"})
