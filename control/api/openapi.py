"""The OpenAPI document, made from the routes and the types they decode and encode: it cannot
say anything the server does not do."""

import re
from typing import Any

import msgspec

from control import kinds
from control.api import (
    conditions,
    listing,
    negotiation,
    numbered,
    parameter,
    problemschema,
    representation,
    together,
)
from control.api.coding import HEADERS
from control.api.imports import PART, PART_QUERY
from control.api.needs import ASKED, NO_DOORS, OPEN, POSTED, SHIPPED, Doors, needs
from control.api.repeat import said
from control.api.route import Route
from control.api.telling import complete
from control.problem import Problem
from control.values.query import CONTROLS

PATH = "/api/openapi.json"
INFO = {
    "title": "Sendgate",
    "version": "2",
    "summary": "The control API of Sendgate",
    "description": "What the SMTP gateway between MailWizz and PowerMTA may send, what it sent, "
    "and what waits. Ask with `Authorization: Bearer TOKEN`, or `X-API-Key: TOKEN`. What goes "
    "wrong is answered as `application/problem+json` (RFC 9457): `type` leads to what it means, "
    "`detail` says what is wrong, `field` and `errors` what is to blame, `fix` what to do. Things "
    "have a name and a number: paths and bodies take either. HEAD answers "
    "wherever GET does; OPTIONS says what a path takes.",
}
_SAYING = {"pattern", "anyOf", "enum"}


def document(
    routes: list[Route],
    doors: Doors = NO_DOORS,
) -> dict[str, Any]:
    """OpenAPI 3.1 of `routes` and `doors`."""
    types: list[Any] = [Problem, *problemschema.TYPES]
    types += [t for r in routes for t in (r.body, r.answer) if t is not None]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    bodies = {r.body.__name__ for r in routes if r.body is not None}
    for kind in _inner(bodies, components):
        _say_controls(components[kind])
        numbered.say(components[kind], inner=kind not in bodies)
    for route in routes:
        if route.body is not None:
            together.say(components[route.body.__name__], route.body)
    problemschema.closed(components)
    shared = problemschema.Shared(schemas[0])
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type, shared)
    for path in doors.posted:
        paths[path] = {"post": _posted(shared)}
    for path in doors.agents:
        paths[path] = {"post": _shipped(path, shared)}
    for path in doors.asked:
        paths[path] = {"get": _asked(shared)}
    paths.update(problemschema.paths(list(schemas[1:3]), shared))
    for (method, path), (summary, media) in OPEN.items():
        paths.setdefault(path, {}).setdefault(method.lower(), _open(summary, media, shared))
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": INFO,
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": HEADERS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "password": {"type": "http", "scheme": "basic"},
                "signature": {"type": "apiKey", "in": "header", "name": "X-Sendgate-Signature"},
            },
        },
    }
    found["components"]["responses"] = shared.components
    complete(found, needs(routes, doors))
    said: dict[str, Any] = _of_scalars(found)
    return said


_SURROGATES = (r"\ud800-\uf8ff", r"\ue000-\uf8ff")
"""A range that begins with them, and the rest of it."""


def _of_scalars(value: Any) -> Any:
    """With patterns of scalar values. No UTF-8 has a surrogate (RFC 3629, 3), and a reader whose
    regular expressions know none drops a pattern that names one."""
    if isinstance(value, list):
        return [_of_scalars(one) for one in value]
    if isinstance(value, dict):
        return {name: _of_scalars(one) for name, one in value.items()}
    return value.replace(*_SURROGATES) if isinstance(value, str) else value


def _posted(shared: problemschema.Shared) -> dict[str, Any]:
    record = {"type": "object", "additionalProperties": True}
    text = {"schema": {"type": "string"}}
    content = {
        "application/json": {"schema": {"oneOf": [record, {"type": "array", "items": record}]}},
        "application/x-ndjson": text,
        "text/csv": text,
        "application/gzip": {"schema": {"type": "string", "format": "binary"}},
    }
    server = {"name": "server", "in": "query", "schema": {"type": "string"}}
    stored = {"type": "object", "properties": {"batch": {"type": ["integer", "null"]}}}
    return {
        "summary": POSTED,
        "parameters": [{**server, "description": "which PowerMTA server wrote them"}],
        "requestBody": {"required": False, "content": content},
        "responses": {
            "200": {"description": "stored", "content": {"application/json": {"schema": stored}}},
            **shared.answers(problemschema.at_door()),
        },
        "security": [{"token": []}, {"key": []}, {"password": []}, {"signature": []}],
    }


def _shipped(path: str, shared: problemschema.Shared) -> dict[str, Any]:
    refused = shared.answers(problemschema.at_door())
    conflict = shared.content(409, problemschema.at_door())
    return {
        "summary": SHIPPED,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": parameter.schema("path", name)}
            for name in re.findall(r"\{(\w+)\}", path)
        ]
        + ([dict(one) for one in PART_QUERY] if path == PART else []),
        "requestBody": {
            "required": True,
            "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
        },
        "responses": {
            "200": {"description": "stored", "content": {"application/json": {"schema": {}}}},
            **refused,
            "409": {
                "description": "not stored: it does not continue the stream; where that stands",
                "content": {"application/json": {"schema": {}}, **conflict},
            },
        },
        "security": [{"token": []}, {"key": []}, {"password": []}],
    }


def _asked(shared: problemschema.Shared) -> dict[str, Any]:
    name = {"type": "string", "minLength": 1, "maxLength": 64}
    texts = {"server": name, "agent": name, "wait": {"type": "string"}}
    return {
        "summary": ASKED,
        "parameters": [
            {"name": name, "in": "query", "required": name != "wait", "schema": kind}
            for name, kind in texts.items()
        ]
        + [{"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}],
        "responses": {
            "200": {"description": "this", "content": {"application/json": {"schema": {}}}},
            "304": {"description": "what it has seen already"},
            **shared.answers(problemschema.at_door()),
        },
        "security": [{"token": []}, {"key": []}, {"password": []}],
    }


def _open(summary: str, media: str, shared: problemschema.Shared) -> dict[str, Any]:
    kind = {"type": "object"} if media == negotiation.JSON else {"type": "string"}
    return {
        "summary": summary,
        "parameters": [],
        "responses": {
            "200": {"description": "this", "content": {media: {"schema": kind}}},
            **shared.answers([kinds.NOT_ACCEPTABLE]),
        },
        "security": [],
    }


def _inner(kinds: set[str], components: dict[str, Any]) -> set[str]:
    """With the components that these are made of."""
    found: set[str] = set()
    while kinds:
        found |= kinds
        text = msgspec.json.encode([components[kind] for kind in kinds]).decode()
        kinds = set(re.findall(r'"#/components/schemas/(\w+)"', text)) - found
    return found


def _say_controls(schema: Any) -> None:
    """What `body.decode` refuses in every text of a request, where its type says nothing of its
    characters."""
    if isinstance(schema, list):
        for one in schema:
            _say_controls(one)
    elif isinstance(schema, dict):
        if schema.get("type") == "string" and not _SAYING & schema.keys():
            schema["pattern"] = f"^[^{CONTROLS}]*$"
        for one in schema.values():
            _say_controls(one)


_NEXT = {
    "Link": {
        "description": '`<…>; rel="next"`: the part behind it (RFC 8288); none: this is the last',
        "schema": {"type": "string"},
    }
}


def _query(route: Route) -> dict[str, tuple[str, dict[str, Any]]]:
    said = {name: (text, parameter.schema("query", name)) for name, text in route.query.items()}
    said |= parameter.described(route.wanted)
    return (
        said
        if route.listing is None
        else said | listing.parameters(route.listing, said, route.answer)
    )


def _operation(
    route: Route, schemas: dict[str, Any], shared: problemschema.Shared
) -> dict[str, Any]:
    media = "text/plain" if route.answer is str else "application/json"
    content: dict[str, Any] = {media: {"schema": schemas[repr(route.answer)]}}
    if route.text:
        content["text/plain"] = {"schema": {"type": "string"}}
    found: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": parameter.schema("path", name),
            }
            for name in re.findall(r"\{(\w+)\}", route.path)
        ]
        + [
            {
                "name": name,
                "in": "query",
                "required": name in route.needed,
                "description": text,
                "schema": kind,
            }
            for name, (text, kind) in _query(route).items()
        ],
        "responses": {
            str(route.status): {
                "description": "done",
                "content": content,
            },
            **shared.answers(problemschema.of(route)),
        },
        "security": [] if route.public else [{"token": []}, {"key": []}],
    }
    found["parameters"] += [*said(route), *conditions.said(route)]
    if not route.secret:
        done = found["responses"][str(route.status)]
        done["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in HEADERS}
    if route.listing is not None:
        found["responses"][str(route.status)].setdefault("headers", {}).update(_NEXT)
    if representation.is_tagged(route):
        tag = {"description": "of what is answered", "schema": {"type": "string"}}
        found["responses"][str(route.status)].setdefault("headers", {})["ETag"] = tag
        found["responses"]["304"] = {"description": "the asker has it", "headers": {"ETag": tag}}
    if route.body is not None:
        sent = {"application/json": {"schema": schemas[repr(route.body)]}}
        found["requestBody"] = {"required": True, "content": sent}
    return found
