"""`Expect` (RFC 9110, 10.1.1): what is not `100-continue` is refused with 417, as a problem.

aiohttp answers it by itself, in plain text, before a handler or a middleware is asked, and also for
paths that are not there. So its answer is put right as it goes out.
"""

from collections.abc import Callable

from aiohttp import web

from control import kinds
from control.problem import RefusedError

Answer = Callable[[Exception, web.Request], web.Response]
"""Of an error, as everything else is refused."""


def refuse(app: web.Application, answer: Answer) -> None:
    """From here on, at any path of `app`."""

    async def told(request: web.Request, response: web.StreamResponse) -> None:
        if not isinstance(response, web.HTTPExpectationFailed):
            return
        error = RefusedError(
            "of Expect this server holds 100-continue alone: leave the header out",
            kind=kinds.EXPECTATION,
            field="Expect",
        )
        found = answer(error, request)
        assert isinstance(found.body, bytes)
        response.body = found.body
        response.headers.update(found.headers)
        response.headers["Content-Type"] = "application/problem+json"
        response.headers["Content-Length"] = str(len(found.body))

    app.on_response_prepare.append(told)
