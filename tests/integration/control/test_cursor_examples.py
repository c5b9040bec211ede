"""What the document shows of a list's cursor is one that the list takes."""

import re
from urllib.parse import urlencode

from control.app import routes
from control.parts import Parts
from tests.support.control.core import Api

NAMES = {
    "tenant": "acme",
    "address": "news@mail.acme.example",
    "job": "cleanup",
    "request": "42",
    "import": "42",
}
ABSENT = (404, 409)
"""What the rest of the example names is not there."""


async def test_the_cursor_that_is_shown_is_taken_by_its_list(api: Api, core: Parts) -> None:
    _, document = await api("GET", "/api/openapi.json", token="")
    assert isinstance(document, dict)
    new = {"name": "acme", "login": "acme", "password": "correct horse"}
    assert (await api("POST", "/api/v2/tenants", new))[0] == 201
    asked, wrong = 0, []
    for route in routes(core):
        if route.listing is None or route.method != "GET":
            continue
        shown = {
            one["name"]: one.get("example")
            for one in document["paths"][route.path]["get"]["parameters"]
        }
        if not str(shown["after"]).startswith("~"):
            continue
        path = re.sub(r"\{(\w+)\}", lambda match: NAMES[match[1]], route.path)
        query = {
            name: shown[name]
            for name in ("after", "sort", "limit", *route.needed)
            if shown.get(name) is not None
        }
        status, answer = await api("GET", f"{path}?{urlencode(query)}")
        if status != 200 and status not in ABSENT:
            wrong.append((path, query, answer))
        asked += 1
    assert wrong == []
    assert asked > 20
