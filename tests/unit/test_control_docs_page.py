"""The API's page: all of the document, nothing that runs, nothing from elsewhere."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from control.api import docspage
from tests.support.control.document import whole

VOID = {"meta", "br", "hr", "input", "img", "link"}


class Read(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return whole()


def test_it_has_every_operation_parameter_answer_and_schema(document: dict[str, Any]) -> None:
    read = Read(docspage.page(document))
    text = "".join(read.text)
    for path, operations in document["paths"].items():
        assert path in text
        for one in operations.values():
            assert one["operationId"] in read.ids
            assert one["summary"] in text
            assert all(p["name"] in text for p in one["parameters"])
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= set(read.ids)
    assert {tag["name"] for tag in document["tags"]} <= set(read.ids)
    assert len(read.ids) == len(set(read.ids)), "an anchor leads to one place"


def test_each_link_leads_to_a_place_in_it_or_to_the_document(document: dict[str, Any]) -> None:
    read = Read(docspage.page(document))
    assert {link.removeprefix("#") for link in read.links} - {"/api/openapi.json"} <= set(read.ids)
    assert len(read.links) > 500


def test_nothing_runs_in_it_and_nothing_is_fetched(document: dict[str, Any]) -> None:
    text = docspage.page(document)
    read = Read(text)
    assert not read.tags & {"script", "link", "img", "iframe", "form", "input", "object", "base"}
    assert read.attributes <= {"lang", "charset", "name", "content", "href", "id", "class"}
    [style] = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    assert not re.search(r"url\(|@import|expression", style)
    assert "prefers-color-scheme: dark" in style
    policy = docspage.HEADERS["Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]


EVIL = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)> `<b>` &amp;"


def evil(value: Any) -> Any:
    """A document each text of which would be markup, but for the words that lead somewhere."""
    if isinstance(value, dict):
        return {
            f"{name}{EVIL}" if name.startswith("x-evil") else name: one
            if name in ("$ref", "openapi")
            else evil(one)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [evil(one) for one in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


def test_every_word_of_the_document_is_escaped() -> None:
    operation = {
        "operationId": "one",
        "summary": "s",
        "description": "d",
        "tags": ["t"],
        "x-sendgate-roles": ["r"],
        "parameters": [
            {"name": "n", "in": "query", "description": "d", "schema": {"enum": ["e"]}},
            {"name": "m", "in": "q", "schema": {"type": "string", "default": "f", "minimum": "0"}},
        ],
        "requestBody": {
            "content": {"a/b": {"schema": {"anyOf": [{"type": "x"}]}, "example": {"k": "v"}}}
        },
        "responses": {
            "200": {"description": "d", "content": {"a/c": {"schema": {}, "example": "x"}}}
        },
    }
    document = evil(
        {
            "info": {"title": "t", "description": "d"},
            "tags": [{"name": "t", "description": "d"}],
            "paths": {},
            "components": {"schemas": {}, "responses": {}},
        }
    )
    document["paths"][f"/x{EVIL}"] = {f"get{EVIL}": evil(operation)}
    document["components"]["schemas"] |= {
        f"S{EVIL}": {
            "description": EVIL,
            "required": [EVIL],
            "properties": {EVIL: {"$ref": f"#/components/schemas/S{EVIL}", "description": EVIL}},
        },
        f"T{EVIL}": {"type": EVIL},
    }
    read = Read(docspage.page(document))
    assert not read.tags & {"script", "img", "b"} - {"b"}
    assert "onerror" not in read.attributes
    assert "".join(read.text).count("<script>alert(1)</script>") > 20
