"""The application: request ids, tokens, errors as problem+json, and every route."""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web

from control.accounting.payload import InflatedError, inflated
from control.api import (
    body,
    expectation,
    linkpage,
    listing,
    methods,
    negotiation,
    parameter,
    problempages,
    ratelimit,
    representation,
)
from control.api.asking import Asking
from control.api.coding import Coding, Sending, going_out
from control.api.conditions import Conditions
from control.api.crossorigin import CrossOrigin
from control.api.described import describe
from control.api.metrics import PATH as METRICS
from control.api.needs import Doors
from control.api.origin import come_from
from control.api.permission import Permission, allow, allow_body
from control.api.refused import ASKER, Refusal, Refused
from control.api.repeat import once
from control.api.route import Route
from control.api.shared import Reads
from control.plan.changed import both
from control.plan.names import Asked
from control.problem import RefusedError
from control.users.asker import asked_by
from control.users.link import PAGE as LINK
from control.users.rates import QuotaError, Rates
from control.users.repeated import Repeated
from control.users.role import Holder
from control.values.part import Part
from policy.node import Network, within

HolderOf = Callable[[str, str], Awaitable[Holder | None]]
"""Who has what a request carries, and comes from that address."""
Used = Callable[[Holder], Awaitable[None]]
"""Is told of who asked."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

REQUEST_ID = web.RequestKey("request id", str)
"""As the log and the answer have it."""

Raw = Callable[[web.Request], Awaitable[web.Response]]

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


_OLDER = ("/api/v1/", "/api/warmup/")
"""Paths that callers of older systems ask, with or without a slash behind them."""


class Application:
    """The door: who asks is known, what is asked is read, before a handler sees it."""

    def __init__(
        self,
        routes: list[Route],
        holder_of: HolderOf,
        asking: Asking,
        refusal: Refusal,
        *,
        used: Used,
        repeated: Repeated,
        reads: Reads,
        max_body: int,
        raw: Mapping[str, Raw] | None = None,
        agents: Mapping[str, Raw] | None = None,
        asked: Mapping[str, Raw] | None = None,
        scrapers: tuple[Network, ...] = (),
        rates: Rates,
        coding: Coding,
        proxies: tuple[Network, ...] = (),
        origins: tuple[str, ...] = (),
    ) -> None:
        """`raw`: paths whose POST reads its body itself, and knows who asks; `agents`: such ones of
        our own agent, and `asked`: the same of GET; `scrapers`: from where metrics are read without
        a token; `proxies`: whose word is taken for where a request comes from; `origins`: of
        pages that may ask."""
        self._routes = routes
        self._conditions = Conditions(routes)
        self._coding = coding
        self._raw = raw or {}
        self._agents = agents or {}
        self._asked = asked or {}
        self._scrapers = scrapers
        self._proxies = proxies
        self._rates = rates
        self._cross_origin = CrossOrigin(origins)
        self._holder_of = holder_of
        self._used = used
        self._repeated = repeated
        self._reads = reads
        self._asking = asking
        self._refused = Refused(refusal)
        self._max_body = max_body

    def build(self) -> web.Application:
        """The aiohttp application."""

        @web.middleware
        async def problems(request: web.Request, handler: Next) -> web.StreamResponse:
            response = await self._problems(request, handler)
            ratelimit.tell(request, response)
            self._cross_origin.tell(request, response)
            return response

        app = web.Application(middlewares=[problems], client_max_size=self._max_body)
        for route in self._routes:
            handler = self._handler(route)
            # Without a pattern aiohttp takes no brace, and an address may have some.
            path = re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", route.path)
            app.router.add_route(route.method, path, handler)
            if route.path.startswith(_OLDER):
                app.router.add_route(route.method, f"{path}/", handler)
        for path, post in {**self._raw, **self._agents}.items():
            app.router.add_post(path, post)
            app.router.add_post(path + "/", post)
        for path, get in self._asked.items():
            app.router.add_get(path, get)
        describe(app, self._routes, Doors(self._raw, self._agents, self._asked))
        for path in (LINK, f"{LINK}/"):
            app.router.add_get(path, linkpage.page)
        problempages.add(app.router)
        methods.add_heads(app.router)
        expectation.refuse(app, lambda e, r: self._refused.answer(e, r, _id_of(r)))
        return app

    def _handler(self, route: Route) -> Next:
        async def handle(request: web.Request) -> web.Response:
            free = route.public or (route.path == METRICS and self._scrapes(request))
            holder = None if free else await self._who(request)
            self._count(request, route, holder)
            wanted = None if holder is None else allow(holder, route.method, route.path)
            negotiation.must_answer(request, negotiation.media(route))
            if unknown := sorted(set(request.query) - set(route.query)):
                raise parameter.unknown(unknown[0])
            parameter.possible(request.match_info, request.query)
            decoded = None
            if route.body is not None:
                negotiation.must_take(request)
                decoded = body.decode(self._content(await request.read()), route.body)
                allow_body(holder, decoded)
            query = dict(request.query)
            part = None if route.listing is None else listing.asked(route.listing, query)
            parameter.possible(query)
            asked = Asked(dict(request.match_info), query, decoded)
            if part is not None:
                return await self._listed(request, route, holder, wanted, asked, part)
            found = await once(
                *(self._repeated, request, route, holder, asked),
                lambda: self._do(request, route, holder, wanted, asked),
            )
            if holder is not None and "wait" in query:
                await self._still(request, holder)
            response = representation.of(found, route.status)
            tag = representation.tag(route, found) if representation.is_tagged(route) else ""
            return going_out(response, Sending(tag=tag, packs=not route.secret))

        return handle

    async def _listed(
        self,
        request: web.Request,
        route: Route,
        holder: Holder | None,
        wanted: Permission | None,
        asked: Asked,
        part: Part,
    ) -> web.Response:
        given = dict(request.query)
        key, found = listing.told(await self._do(request, route, holder, wanted, asked, part))
        response = representation.of(found, route.status)
        if key is not None:
            response.headers["Link"] = listing.link(request.path, given, part.sort, key)
        tag, weak = representation.part_tag(route, given, part, key, found)
        return going_out(response, Sending(tag=tag, weak=weak, packs=not route.secret))

    async def _do(
        self,
        request: web.Request,
        route: Route,
        holder: Holder | None,
        wanted: Permission | None,
        asked: Asked,
        part: Part | None = None,
    ) -> Any:
        address = come_from(request, self._proxies)
        call, only = await self._asking.call(route, holder, wanted, asked, address, part)
        condition = self._conditions.ready(request, route, call)
        call = replace(call, condition=condition, still=both(call.still, condition))
        do = partial(self._reads.answer, route, call, only)
        return await self._conditions.held(route, call, do)

    def _count(self, request: web.Request, route: Route, holder: Holder | None) -> None:
        """Raises QuotaError."""
        if holder is not None:
            costly = (route.method, route.path) in ratelimit.COSTLY
            ratelimit.keep(request, self._rates.known(holder, costly=costly))
        elif route.path not in ratelimit.UNCOUNTED:
            self._stranger(request)

    def _stranger(self, request: web.Request) -> None:
        """Raises QuotaError."""
        ratelimit.keep(request, self._rates.stranger(come_from(request, self._proxies)))

    def _content(self, sent: bytes) -> bytes:
        """A body as it is unpacked, within its bound: the server hands it on as it came."""
        try:
            return inflated(sent, self._max_body)
        except InflatedError as error:
            raise RefusedError(f"the body is too large: {error}", status=413) from error

    def _scrapes(self, request: web.Request) -> bool:
        """Whether it comes from where no token is needed; one that is given is looked at. No header
        counts: everybody may write one."""
        given = {"Authorization", "X-API-Key"} & request.headers.keys()
        return not given and within(request.remote or "", self._scrapers)

    async def _who(self, request: web.Request) -> Holder:
        """Who has the request's token. Raises HTTPUnauthorized."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # Callers of older systems send it under this name.
        given = token if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
        address = come_from(request, self._proxies)
        found = await self._holder_of(given.strip(), address) if given.strip() else None
        if found is None:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        asked_by(found, address)
        request[ASKER] = found
        await self._used(found)
        return found

    async def _still(self, request: web.Request, holder: Holder) -> None:
        """What was waited for is for who may see it now. Raises HTTPUnauthorized, RefusedError."""
        now = await self._who(request)
        if (now.role, now.tenants) != (holder.role, holder.tenants):
            detail = f"{holder.said} may something else since it asked: ask again"
            raise RefusedError(detail, status=403)

    async def _problems(self, request: web.Request, handler: Next) -> web.StreamResponse:
        """Every error as RFC 9457, with the request's id in it and in the log."""
        request_id = _id_of(request)
        # One connection carries requests of many: nothing of the one before stays.
        asked_by(None, come_from(request, self._proxies))
        request[REQUEST_ID] = request_id
        try:
            response = await self._coding.sent(request, await methods.answered(request, handler))
        except Exception as error:  # noqa: BLE001 - the edge of HTTP
            found = self._once_more(error, request)
            return self._refused.answer(found, request, request_id)
        response.headers["X-Request-Id"] = request_id
        return response

    def _once_more(self, error: Exception, request: web.Request) -> Exception:
        """Counts whose token, or signature, is not right, at whichever door; what it is answered,
        then: who guesses too often does not read that it guessed wrong."""
        status = error.status if isinstance(error, web.HTTPException | RefusedError) else 0
        try:
            if status == 401 and not ratelimit.counted(request):
                self._stranger(request)
        except QuotaError as refused:
            error = refused
        if isinstance(error, QuotaError):
            ratelimit.keep(request, error.met)
        return error


def _id_of(request: web.Request) -> str:
    """The id that it came with, or a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
