"""What every door does between who asks, and what, and what a handler is given: which tenant it is
about, names in place of ids, parameters read.

Rule: the API's paths and the console's pages call handlers by this and by nothing else, so that
what one may not see through the one is not there through the other.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from control.api import listing, parameter
from control.api.conditions import Conditions
from control.api.permission import Permission, allow, allow_body
from control.api.precondition import Tags, settled, unmeasured
from control.api.route import Call, Route, limited
from control.plan.changed import both
from control.plan.names import Asked, still
from control.problem import RefusedError
from control.users.role import Holder
from control.values.part import Part, cursor

log = logging.getLogger(__name__)

Names = Callable[[Asked, str | None], Awaitable[Asked]]
"""A request with a name in place of each id, for who sees one tenant or (None) all."""
OfWhich = Callable[[Asked, tuple[str, ...]], Awaitable[str]]
"""Which of several tenants a request is about."""


class Asking:
    """Of one control process."""

    def __init__(self, names: Names, of_which: OfWhich) -> None:
        self._names = names
        self._of_which = of_which

    async def call(
        self,
        route: Route,
        holder: Holder | None,
        wanted: Permission | None,
        asked: Asked,
        address: str,
        part: Part | None = None,
    ) -> tuple[Call, str | None]:
        """What the handler is given, and the tenant that who asks is bound to in it. `wanted`: what
        `allow` said; `part`: of a list. Raises RefusedError."""
        query = asked.query
        only = None
        if holder is not None and wanted is not None and not wanted.mine and holder.tenants:
            only = await self._of_which(asked, holder.tenants)
            if "tenant" in route.query:
                query.setdefault("tenant", only)
        named = await self._names(asked, only)
        call = Call(
            who="" if holder is None else holder.name,
            path=named.path,
            query=named.query,
            body=named.body,
            wanted=parameter.read(named.query, route.wanted),
            holder=holder,
            address=address,
            still=None if only is None else partial(still, asked=asked, only=only, found=named),
        )
        if route.listing is not None and part is not None:
            call = limited(route.listing, part, call)
        return call, only


class Within:
    """The API's routes, asked by a part of ours for somebody who is known; no HTTP between."""

    def __init__(self, routes: Iterable[Route], asking: Asking) -> None:
        self._routes = {(route.method, route.path): route for route in routes}
        self._asking = asking
        self._conditions = Conditions(self._routes.values())

    @property
    def routes(self) -> list[Route]:
        """All of them."""
        return list(self._routes.values())

    def route(self, method: str, path: str) -> Route:
        """`path` as the route has it. Raises KeyError."""
        return self._routes[method, path]

    def settled(self, path: str, shown: Any) -> tuple[str, Any]:
        """What GET `path` answered, of a list all of it: (the tag that a change of it takes, what
        somebody sets of it, as JSON has it)."""
        thing = self.route("GET", path).thing
        assert thing is not None
        return settled(shown, thing.measured), unmeasured(shown, thing.measured)

    async def ask(
        self,
        holder: Holder,
        address: str,
        needs: tuple[str, str],
        *,
        names: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        body: Any = None,
        match: Tags | None = None,
    ) -> tuple[Any, str]:
        """(what the route `needs` (method, path) answers, of a list the `after` of the part behind,
        empty where it is the last one); `names`: parts of its path; `match`: what a change has to
        be of, as `If-Match` says it. Raises RefusedError, and what its handler does."""
        route = self._routes[needs]
        wanted = allow(holder, *needs)
        asked = Asked(dict(names or {}), dict(query or {}), body)
        parameter.possible(asked.path, asked.query)
        if body is not None:
            allow_body(holder, body)
        part = None if route.listing is None else listing.asked(route.listing, asked.query)
        call, only = await self._asking.call(route, holder, wanted, asked, address, part)
        if match is not None:
            condition = self._conditions.of(route, call, match)
            call = replace(call, condition=condition, still=both(call.still, condition))
        try:
            answer = await route.handler(call)
        except RefusedError as error:
            told = error if only is None else error.apart()
            if told is not error and error.status == 503:
                log.warning("%s %s: %s", *needs, error)
            raise told from error
        if route.listing is None or call.part is None:
            return answer, ""
        found, key = listing.found(route.listing, call.part, answer)
        return found, "" if key is None else cursor(call.part.sort, key)
