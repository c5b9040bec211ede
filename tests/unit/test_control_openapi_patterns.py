"""Patterns of the document are of scalar values: no UTF-8 has a surrogate (RFC 3629, 3)."""

import re

import msgspec

from control.api import openapi
from control.api.route import Call, Route
from control.held.filter import HoldFilter


async def _nothing(_: Call) -> None:
    """Is not called."""


def test_no_pattern_names_a_surrogate() -> None:
    route = Route("POST", "/x/{message}", "x", _nothing, HoldFilter, body=HoldFilter)
    text = msgspec.json.encode(openapi.document([route])).decode().lower()
    assert r"\\ue000-\\uf8ff" in text
    assert not re.search(r"\\u+d[89a-f]", text)


def test_a_parameter_without_which_it_is_refused_is_required() -> None:
    asked = {"login": "which one", "force": "1: yes"}
    needed = frozenset({"login"})
    route = Route("DELETE", "/x", "x", _nothing, HoldFilter, query=asked, needed=needed)
    said = openapi.document([route])["paths"]["/x"]["delete"]["parameters"]
    assert {one["name"]: one["required"] for one in said} == {"login": True, "force": False}
