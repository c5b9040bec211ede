"""A request's preconditions at the door: those of a change are made ready for its transaction,
those of a GET are held against its answer."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web

from control.api import listing, parameter, representation
from control.api.precondition import (
    MATCH,
    NONE_MATCH,
    Condition,
    NeededError,
    PreconditionError,
    Tags,
    tags,
)
from control.api.route import FORCED, Call, Route, limited
from control.api.tagged import TAGGED
from control.plan.view import Reader
from control.problem import RefusedError
from control.values.part import Slice


class Conditions:
    """Of some routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._shown = {r.path: r for r in routes if r.method == "GET" and r.thing is not None}

    def ready(self, request: web.Request, route: Route, call: Call) -> Condition | None:
        """What a change has to hold; None: nothing. Raises RefusedError: 428 where it must say
        something, 412 where it says what cannot be held."""
        if route.method == "GET":
            return None
        return self.of(route, call, *(_given(request, name) for name in (MATCH, NONE_MATCH)))

    def of(
        self, route: Route, call: Call, match: Tags | None, none_match: Tags | None = None
    ) -> Condition | None:
        """The same of a change and what its two headers name."""
        taken = TAGGED.get((route.method, route.path))
        if match is None and none_match is None:
            if taken is not None and taken.needed and not call.dry:
                raise NeededError(taken.needed, taken.of)
            return None
        if taken is None:
            raise PreconditionError(
                f"this path can hold neither {MATCH} nor {NONE_MATCH}: leave them out; nothing was "
                "done",
                MATCH if match is not None else NONE_MATCH,
            )
        shown = self._shown[taken.of]
        assert shown.thing is not None
        return Condition(
            match=match,
            none_match=none_match,
            read=partial(_read, shown, _as_asked(shown, call)),
            measured=shown.thing.measured,
            there=shown.thing.there,
        )

    async def held(self, route: Route, call: Call, do: Callable[[], Awaitable[Any]]) -> Any:
        """What `do` answers for the route; a 412 with the tag of what is there."""
        try:
            return await do()
        except PreconditionError as error:
            if call.condition is not None:
                shown = self._shown[TAGGED[route.method, route.path].of]
                with suppress(RefusedError):
                    error.headers = {"ETag": await _tag(shown, call)}
            raise


def answered(
    request: web.Request, response: web.Response, tag: str, *, weak: bool = False
) -> web.Response:
    """A GET's answer with its tag; without a body where the asker has it already (RFC 9110, 13.2.2:
    first the one header, then the other). Raises RefusedError (412)."""
    said = {"ETag": _entity(tag, weak=weak)}
    match, none_match = (_given(request, name) for name in (MATCH, NONE_MATCH))
    if match is not None and not (match.any or (tag in match.strong and not weak)):
        error = PreconditionError("it is not as it was when it was read", MATCH)
        error.headers = said
        raise error
    if none_match is not None and (none_match.any or tag in none_match.all):
        return web.Response(status=304, headers=said)
    response.headers.update(said)
    return response


def _entity(tag: str, *, weak: bool) -> str:
    return f'W/"{tag}"' if weak else f'"{tag}"'


def _given(request: web.Request, name: str) -> Tags | None:
    return tags(request.headers.getall(name, []))


def _given_of(shown: Route, call: Call) -> dict[str, str]:
    # What is said to a change is no filter of what it changes, by the same name or not.
    of_thing = shown.query.keys() - FORCED.keys()
    return {name: value for name, value in call.query.items() if name in of_thing}


def _as_asked(shown: Route, call: Call) -> Call:
    """As who asks for what is changed."""
    query = _given_of(shown, call)
    part = None if shown.listing is None else listing.asked(shown.listing, query)
    wanted = parameter.read(query, shown.wanted)
    asked = replace(call, query=query, body=None, wanted=wanted, still=None, condition=None)
    if shown.listing is None or part is None:
        return asked
    return limited(shown.listing, part, asked)


async def _read(shown: Route, call: Call, connection: Reader) -> Any:
    """What is there; of a list that is longer than one part, something that no tag is of."""
    assert shown.thing is not None
    found = await shown.thing.read(call, connection)
    if shown.listing is None or call.part is None:
        return found
    entries, after = listing.found(shown.listing, call.part, found)
    return entries if after is None else Slice(entries, after)


async def _tag(shown: Route, call: Call) -> str:
    """What GET would answer with."""
    asked = _as_asked(shown, call)
    found = await shown.handler(asked)
    if shown.listing is None or asked.part is None:
        return _entity(representation.tag(shown, found), weak=False)
    entries, after = listing.found(shown.listing, asked.part, found)
    given = _given_of(shown, call)
    tag, weak = representation.part_tag(shown, given, asked.part, after, entries)
    return _entity(tag, weak=weak)


def said(route: Route) -> list[Any]:
    """What the API's document says of it: a route's parameters."""

    def header(name: str, description: str, *, required: bool = False) -> dict[str, Any]:
        found = {"name": name, "in": "header", "required": required, "schema": {"type": "string"}}
        return {**found, "description": description}

    if route.method == "GET" and representation.is_tagged(route):
        return [
            header(NONE_MATCH, "tags of what the asker has: 304 where one is of what is there"),
            header(MATCH, "tags, or *: 412 where none is of what is there"),
        ]
    taken = TAGGED.get((route.method, route.path))
    if taken is None:
        return []
    needed = f"; needed, but for a dry run: {taken.needed}" if taken.needed else ""
    of = f"GET {taken.of}"
    return [
        header(MATCH, f"the ETag of {of}, or *: changed only while it is that, or there{needed}"),
        header(NONE_MATCH, f"*: only while it is not there; or ETags of {of} that it must not be"),
    ]
