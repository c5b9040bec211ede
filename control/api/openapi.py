"""The OpenAPI document, made from the routes and the types they decode and encode: it cannot
say anything the server does not do."""

import re
from typing import Any

import msgspec

from control.api.route import Route
from control.problem import Problem

PATH = "/api/openapi.json"


def document(routes: list[Route]) -> dict[str, Any]:
    """OpenAPI 3.1 of `routes`."""
    types: list[Any] = [Problem]
    types += [t for r in routes for t in (r.body, r.answer) if t is not None]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sendgate", "version": "2"},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    media = "text/plain" if route.answer is str else "application/json"
    problem = {"application/problem+json": {"schema": schemas[repr(Problem)]}}
    found: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", route.path)
        ]
        + [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in route.query.items()
        ],
        "responses": {
            str(route.status): {
                "description": "done",
                "content": {media: {"schema": schemas[repr(route.answer)]}},
            },
            "default": {"description": "not done: nothing was changed", "content": problem},
        },
        "security": [] if route.public else [{"token": []}],
    }
    if route.body is not None:
        content = {"application/json": {"schema": schemas[repr(route.body)]}}
        found["requestBody"] = {"required": True, "content": content}
    return found
