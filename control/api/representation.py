"""What a handler answers, as a body with its media type, and the tag of that."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from control.api.health import Health
from control.api.negotiation import JSON
from control.api.precondition import settled, whole
from control.api.route import Route
from control.users.repeated import Answered
from control.values.part import Key, Part


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


def part_tag(
    route: Route, given: Mapping[str, str], part: Part, key: Key | None, found: Any
) -> tuple[str, bool]:
    """(the tag of a part of a list, whether it is a weak one); `given`: the query as it was asked;
    `key`: where more come; `found`: the part.

    A change is of the whole, in the usual order: of a part, or of some of it, the tag is weak,
    which no `If-Match` is (RFC 9110, 13.1.1). More that comes behind it makes it another: whoever
    is answered 304 goes on as the answer that it has says."""
    if route.thing is None or route.listing is None:
        return "", False
    which = given.keys() - {"limit", "sort"}
    usual = part.after is None and part.sort == route.listing.sorts[0]
    if key is None and usual and route.thing.which <= which <= route.thing.which | {"tenant"}:
        return tag(route, found), False
    return whole(msgspec.json.encode([part, key, found])), True


def _octets(answer: Any) -> bytes:
    if isinstance(answer, str):
        return answer.encode()
    return msgspec.json.encode(answer)
