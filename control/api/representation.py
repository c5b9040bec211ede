"""What a handler answers, as a body with its media type, and the tag of that."""

from typing import Any

import msgspec
from aiohttp import web

from control.api.health import Health
from control.api.negotiation import JSON
from control.api.precondition import settled, whole
from control.api.route import Route
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
    return web.Response(body=_octets(answer), status=status, content_type=JSON)


def is_tagged(route: Route) -> bool:
    """Whether its answer has an `ETag`."""
    return route.tagged or route.thing is not None


def tag(route: Route, answer: Any) -> str:
    """Of what a GET answers (control/api/precondition.py: its two parts)."""
    every = whole(_octets(answer))
    if route.thing is None:
        return every
    its = settled(answer, route.thing.measured)
    return f"{its}.{every}" if route.thing.measured else its


def _octets(answer: Any) -> bytes:
    if isinstance(answer, str):
        return answer.encode()
    return msgspec.json.encode(answer)
