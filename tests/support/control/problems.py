"""What every refusal that any test meets has to be: a kind of the table, said as the table says."""

import re
from collections.abc import Iterable
from typing import Any

from control.api import problemschema
from control.api.route import Route
from control.kinds import KINDS

_OF_ALL = re.compile(r"/(healthz|readyz)/?")
"""Answers of the same shape whatever they say: a balancer reads the status, a person the body."""
_STREAMS = "/api/v2/powermta/agent"
"""A 409 of it says where a stream stands."""


class Expected:
    """By the routes there are."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [
            (route.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", route.path) + "/?"), route)
            for route in routes
        ]

    def check(self, method: str, path: str, status: int, media: str, body: Any) -> None:
        """Raises AssertionError for an answer of 4xx or 5xx that is no problem of the table, or of
        none that the description lists."""
        path = path.partition("?")[0]
        if status < 400 or method == "HEAD" or _OF_ALL.fullmatch(path):
            return
        if path.startswith(_STREAMS) and status == 409 and media == "application/json":
            return
        assert media == "application/problem+json", (method, path, status, media)
        kind = KINDS[body["type"].removeprefix("/api/problems/")]
        said = (body["type"], body["status"], body["title"])
        assert said == (kind.type, status, kind.title), (method, path, body)
        assert status == kind.status, (method, path, body)
        assert body["detail"], (method, path, body)
        assert body["fix"], (method, path, body)
        assert "{field}" not in body["fix"], (method, path, body)
        of = [r for m, pattern, r in self._routes if m == method and pattern.fullmatch(path)]
        listed = [kind for route in of for kind in problemschema.of(route)]
        assert not of or kind in listed, f"{method} {path} answers {kind.name}, and is to list it"
