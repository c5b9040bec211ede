"""Pages of other origins that may ask the API from a browser (Fetch Standard, CORS protocol).

Rule: none, unless it is set, and then those alone, each compared as a whole. `*` is never said, nor
`Access-Control-Allow-Credentials`: a page asks with a token that it was given, in a header of its
own, and there is no cookie that a stranger's page could borrow. Who is not listed gets the same
answer without a word of it, and its browser keeps that from the page.
"""

from collections.abc import Iterable

from aiohttp import hdrs, web

SENT = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-API-Key, X-Request-Id"
)
"""Headers of a request beyond those that every page may send."""
SHOWN = "Allow, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
"""Headers of an answer that the page may read."""
MAX_AGE = 600
"""Seconds for which a browser need not ask again: one that is listed no more is soon out."""


class CrossOrigin:
    """`allowed`: as browsers write them, `https://console.example`."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)

    def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Puts on an answer what its page's browser has to know."""
        if not self._allowed:
            return
        # Also where there is no Origin: a cache must not give that answer to a page that has one.
        varied = response.headers.get(hdrs.VARY)
        response.headers[hdrs.VARY] = f"{varied}, Origin" if varied else "Origin"
        origin = request.headers.get(hdrs.ORIGIN, "")
        if origin not in self._allowed:
            return
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = SHOWN
        before = (
            request.method == "OPTIONS" and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        )
        if before and hdrs.ALLOW in response.headers:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = response.headers[hdrs.ALLOW]
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = SENT
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(MAX_AGE)
