"""What a handler answers, as a body with its media type and its `ETag`."""

import hashlib
from typing import Any

import msgspec
from aiohttp import web

from control.api.health import Health
from control.api.negotiation import JSON
from control.users.repeated import Answered


def of(answer: Any, status: int) -> web.Response:
    """A text as it is, what was answered before as it was, all else as JSON."""
    if isinstance(answer, Answered):
        # Its own status: a version that answers this route with another began meanwhile.
        return web.Response(body=answer.body, status=answer.status, content_type=JSON)
    if isinstance(answer, str):
        return web.Response(text=answer)
    if isinstance(answer, Health) and not answer.ready:
        status = 503
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type=JSON)


def tagged(request: web.Request, response: web.Response) -> web.Response:
    """With an `ETag`, and without a body where the asker has it already (RFC 9110, 13.1.2)."""
    assert isinstance(response.body, bytes)
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    seen = [one.strip().removeprefix("W/") for one in _seen(request)]
    if tag in seen or "*" in seen:
        return web.Response(status=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return response


def _seen(request: web.Request) -> list[str]:
    return request.headers.get("If-None-Match", "").split(",")
