"""The application: request ids, tokens, errors as problem+json, and every route."""

import contextlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
from aiohttp import web
from redis.exceptions import RedisError

from control.api import (
    accounting,
    body,
    domains,
    hold,
    holdrequests,
    ips,
    logins,
    look,
    messages,
    metrics,
    openapi,
    pools,
    system,
    tenants,
)
from control.api.names import Asked, by_name
from control.api.permission import allow, allow_body
from control.api.route import Call, Route
from control.core import Core
from control.problem import Problem, RefusedError
from control.users.token import Holder

log = logging.getLogger(__name__)

ROUTES: list[Route] = [
    *(*tenants.ROUTES, *logins.ROUTES, *domains.ROUTES, *ips.ROUTES, *pools.ROUTES),
    *(*hold.ROUTES, *holdrequests.ROUTES, *system.ROUTES, *accounting.ROUTES),
    *metrics.ROUTES,
    *(*look.ROUTES, *messages.ROUTES),
]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_AWAY = (RedisError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(core: Core) -> web.Application:
    """The aiohttp application of `core`."""
    app = web.Application(middlewares=[_problems], client_max_size=core.settings.control.max_body)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _handler(core, route))
    described = msgspec.json.encode(openapi.document(ROUTES))

    async def describe(_: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    app.router.add_get(openapi.PATH, describe)
    return app


def _handler(core: Core, route: Route) -> Next:
    async def handle(request: web.Request) -> web.Response:
        holder = None if route.public else await _who(core, request)
        only = None
        if holder is not None:
            allow(holder, route.method, route.path)
            only = holder.tenant
        if unknown := sorted(set(request.query) - set(route.query)):
            raise RefusedError(f"unknown query parameter {unknown[0]}", status=400)
        decoded = None
        if route.body is not None:
            decoded = body.decode(await request.read(), route.body)
            allow_body(holder, decoded)
        query = dict(request.query)
        if only is not None and "tenant" in route.query:
            query.setdefault("tenant", only)
        asked = Asked(dict(request.match_info), query, decoded)
        named = await by_name(core.pool, asked, only)
        who = "" if holder is None else holder.name
        call = Call(core=core, who=who, path=named.path, query=named.query, body=named.body)
        return _response(await route.handler(call), route.status)

    return handle


def _response(answer: Any, status: int) -> web.Response:
    if isinstance(answer, str):
        return web.Response(text=answer)
    if isinstance(answer, system.Health) and not answer.ready:
        status = 503
    return web.Response(
        body=msgspec.json.encode(answer), status=status, content_type="application/json"
    )


async def _who(core: Core, request: web.Request) -> Holder:
    """Who has the request's token. Raises HTTPUnauthorized."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    found = await core.tokens.holder_of(token.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
    # Without the ledger there is no calendar time; reading must work all the same.
    with contextlib.suppress(RefusedError):
        await core.tokens.note_use(found.name, await core.publisher.now())
    return found


_TITLES = {
    401: "a valid token is needed: Authorization: Bearer TOKEN",
    404: "there is no such path",
    405: "this path has no such method",
    413: "the body is too large",
}


@web.middleware
async def _problems(request: web.Request, handler: Next) -> web.StreamResponse:
    """Every error as RFC 9457, with the request's id in it and in the log."""
    given = request.headers.get("X-Request-Id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    headers: dict[str, str] = {}
    try:
        response = await handler(request)
    except RefusedError as error:
        problem = error.problem(request_id)
    except web.HTTPException as error:
        title = _TITLES.get(error.status, error.reason)
        problem = Problem(title=title, status=error.status, request_id=request_id)
        headers = {k: v for k, v in error.headers.items() if k in ("WWW-Authenticate", "Allow")}
    except asyncpg.DataError as error:
        # PostgreSQL cannot store it (NUL in a text): the input is wrong, not the server.
        title = f"the input cannot be stored: {error}"
        problem = Problem(title=title, status=400, request_id=request_id)
    except _AWAY as error:
        part = "the ledger" if isinstance(error, RedisError) else "a part we need"
        log.warning("%s %s [%s]: %s", request.method, request.path, request_id, error)
        title = f"{part} does not answer: {error}"
        problem = Problem(title=title, status=503, request_id=request_id)
    except Exception:
        log.exception("%s %s [%s]", request.method, request.path, request_id)
        title = "an error on our side; the log has it under this request id"
        problem = Problem(title=title, status=500, request_id=request_id)
    else:
        response.headers["X-Request-Id"] = request_id
        return response
    return web.Response(
        body=msgspec.json.encode(problem),
        status=problem.status,
        content_type="application/problem+json",
        headers={**headers, "X-Request-Id": request_id},
    )
