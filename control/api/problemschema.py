"""What the API's description says of refusals: which kinds of problem an operation may answer."""

from typing import Any

import msgspec

from control import kinds
from control.api.keyed import KEYED
from control.api.problempages import ONE, ProblemKind, ProblemKinds
from control.api.ratelimit import POLICY, STATE, UNCOUNTED
from control.api.representation import is_tagged
from control.api.route import Route
from control.api.tagged import TAGGED
from control.kind import PATH, Kind, Where
from control.kinds import KINDS
from control.problem import RefusedError
from control.users.desk import Proof

SIGNING_IN = "/api/v1/auth/"
"""Paths that look at a password, a code or a session's token."""
REQUEST_ID = {
    "description": "names the request in the log",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_TEXT = {"schema": {"type": "string"}}
_SECONDS = {
    "description": "seconds until it may be tried again",
    "schema": {"type": "string", "pattern": "^[0-9]+$"},
}
HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {**_TEXT, "description": "how a token is sent", "required": True}},
    412: {"ETag": {**_TEXT, "description": "of what is there"}},
    415: {
        "Accept": {**_TEXT, "description": "the type that is taken"},
        "Accept-Encoding": {**_TEXT, "description": "the coding that is taken"},
    },
    429: {
        "Retry-After": _SECONDS,
        POLICY: {
            **_TEXT,
            "description": 'the bounds that concern the request, as `"requests";q=3000;w=60`: so '
            "many in so many seconds; on every answer that one concerns",
        },
        STATE: {
            **_TEXT,
            "description": 'what is left of each, as `"requests";r=2999;t=1`: so many within so '
            "many seconds; on every answer that one concerns",
        },
    },
    503: {"Retry-After": {**_SECONDS, "required": True}},
}
"""Of an answer, by its status."""
MEDIA = "application/problem+json"


def of(route: Route) -> list[Kind]:
    """The kinds that a route may answer."""
    met: set[Where] = {"any"}
    if not route.public:
        met.add("known")
    if route.body is not None:
        met.add("body")
    if route.method not in ("GET", "HEAD"):
        met.add("change")
    if route.method not in ("GET", "HEAD") or is_tagged(route):
        met.add("tagged")
    taken = TAGGED.get((route.method, route.path))
    if taken is not None and taken.needed:
        met.add("needed")
    if route.path in KEYED and route.method == "POST":
        met.add("keyed")
    proves = route.body is not None and issubclass(route.body, Proof)
    if proves or route.path.startswith(SIGNING_IN):
        met.add("entry")
    uncounted = route.public and route.path in UNCOUNTED
    return [
        kind
        for kind in KINDS.values()
        if kind.where in met and not (uncounted and kind is kinds.QUOTA_EXCEEDED)
    ]


def at_door() -> list[Kind]:
    """Of a path whose door reads the body itself."""
    own = (kinds.SIGNATURE_REFUSED, kinds.TOO_SLOW)
    return [k for k in KINDS.values() if k.where in ("any", "known", "body") or k in own]


class Shared:
    """Answers that several operations have, each once in the document; `problem`: its schema."""

    def __init__(self, problem: Any) -> None:
        self.components: dict[str, Any] = {}
        self._problem = problem

    def answers(self, met: list[Kind]) -> dict[str, Any]:
        """Of one operation, by status."""
        found: dict[str, Any] = {}
        for status in sorted({kind.status for kind in met}):
            those = [kind for kind in met if kind.status == status]
            name = "-or-".join([str(status), *(kind.name for kind in those)])
            self.components[name] = {
                "description": "; or ".join(kind.title for kind in those),
                "headers": {"X-Request-Id": REQUEST_ID, **HEADERS.get(status, {})},
                "content": self.content(status, those),
            }
            found[str(status)] = {"$ref": f"#/components/responses/{name}"}
        return found

    def content(self, status: int, met: list[Kind]) -> dict[str, Any]:
        """Of the answer with that status."""
        those = [kind for kind in met if kind.status == status]
        types = {"properties": {"type": {"enum": [kind.type for kind in those]}}}
        shown = RefusedError(those[0].means, kind=those[0]).problem("5f0c6c3a9b1d4e27")
        schema = {"allOf": [self._problem, types]}
        return {MEDIA: {"schema": schema, "example": msgspec.to_builtins(shown)}}


def closed(components: dict[str, Any]) -> None:
    """Lists the types there are in the schema of a problem."""
    properties = components["Problem"]["properties"]
    types = [kind.type for kind in KINDS.values()]
    properties["type"] = {"type": "string", "enum": types}
    components["Problem"]["required"] = ["type", "title", "status", "detail", "fix"]


TYPES = [ProblemKind, ProblemKinds]


def paths(schemas: list[Any], shared: Shared) -> dict[str, Any]:
    """The pages of the kinds; `schemas`: of TYPES."""
    name = {"type": "string", "enum": list(KINDS)}
    one, many = schemas
    told = {"name": "kind", "in": "path", "required": True, "schema": name}
    return {
        PATH: {"get": _page("The kinds of problem there are", [], many, shared)},
        ONE: {"get": _page("What a kind of problem means, and what to do", [told], one, shared)},
    }


def _page(summary: str, parameters: list[Any], schema: Any, shared: Shared) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}, "text/html": {"schema": {"type": "string"}}}
    known = [kind for kind in KINDS.values() if kind.where == "any" and kind.status != 429]
    known += [kinds.NOT_FOUND] if parameters else []
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "told", "content": content},
            **shared.answers(known),
        },
        "security": [],
    }
