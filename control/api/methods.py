"""Methods as RFC 9110 has them: HEAD beside every GET, OPTIONS and 405 with a whole `Allow`.

Rule: what a path allows is read from where requests find their way, so that the two cannot differ;
a path that two patterns fit allows what either does. OPTIONS is answered without a token: it tells
no more than the API's description, which everybody may read, and than 405 always told. A request
of another site's page asks before it has one, too.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_heads(router: web.UrlDispatcher) -> None:
    """HEAD wherever there is GET, by the same handler: the same permission and the same headers;
    aiohttp leaves out the body (RFC 9110, 9.3.2)."""
    for resource in router.resources():
        assert isinstance(resource, web.Resource)
        handlers = {route.method: route.handler for route in resource}
        if "GET" in handlers and "HEAD" not in handlers:
            resource.add_route("HEAD", handlers["GET"])


async def answered(request: web.Request, handler: Next) -> web.StreamResponse:
    """What the handler answers. Raises HTTPMethodNotAllowed, its `Allow` whole (RFC 9110,
    15.5.6)."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = sorted({*error.allowed_methods, "OPTIONS"})
        if request.method == "OPTIONS":
            return web.Response(status=204, headers={"Allow": ",".join(allowed)})
        raise web.HTTPMethodNotAllowed(request.method, allowed) from error
