"""`Idempotency-Key`: a POST that comes twice is done once, and answered the same.

As draft-ietf-httpapi-idempotency-key-header has it: 422 for another request under the same key,
409 while the first is being done. A key is its holder's own, and of one request: path, query and
body. A dry run is none: nothing is kept of it.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from control.api.keyed import KEYED, UNKEYED
from control.api.route import Route, answer
from control.plan.done import Done
from control.plan.names import Asked
from control.problem import bad
from control.users.repeated import Repeated
from control.users.role import Holder

HEADER = "Idempotency-Key"
LONGEST = 255
"""Characters of a key."""

_PLAIN = rf"[!#-\[\]-~]{{1,{LONGEST}}}"
_KEY = re.compile(rf'("?)({_PLAIN})\1')
"""A string of RFC 9651, which the draft asks for, or bare, as most write it: the same key."""


async def once(
    repeated: Repeated,
    request: web.Request,
    route: Route,
    holder: Holder | None,
    asked: Asked,
    do: Callable[[], Awaitable[Any]],
) -> Any:
    """What `do` answers, or what it answered then (`Answered`). Raises RefusedError."""
    key = _key(request, route)
    dry = asked.query.get("dry_run", "") in ("1", "true", "yes")
    if key is None or holder is None or dry:
        return await do()
    # Whose the holder is, too: the name of a token may be given again.
    told = (route.path, asked.path, asked.query, asked.body, holder.tenants)
    text = msgspec.json.encode(told, order="deterministic")
    return await repeated.once(holder, key, text, route.status, _encoded, do)


def _encoded(found: Any) -> bytes:
    return msgspec.json.encode(answer(found) if isinstance(found, Done) else found)


def _key(request: web.Request, route: Route) -> str | None:
    given = request.headers.getall(HEADER, [])
    if not given or route.method != "POST":
        # All other methods are idempotent by RFC 9110, or (PATCH) set what they name.
        return None
    if route.path not in KEYED:
        why = UNKEYED.get(route.path, "")
        raise bad(HEADER, f"this path takes none; leave it out ({why})")
    found = _KEY.fullmatch(given[0].strip()) if len(given) == 1 else None
    if found is None:
        raise bad(HEADER, f"expected one key of 1 to {LONGEST} visible characters, as a UUID")
    return found[2]


def said(route: Route) -> list[Any]:
    """What the API's document says of it: a route's parameters."""
    if route.method != "POST" or route.path not in KEYED:
        return []
    schema = {"type": "string", "pattern": f'^(?:{_PLAIN}|"{_PLAIN}")$'}
    header = {"name": HEADER, "in": "header", "required": False, "schema": schema}
    header["description"] = (
        "the same request under the same key is done once, and answered the same"
    )
    return [header]
