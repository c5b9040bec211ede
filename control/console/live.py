"""Parts of pages that stay open, sent as they change (server-sent events, WHATWG HTML 9.2).

Rule: a stream shows its viewer what a reload would, by the same template; its session is looked at
again every few seconds, so that who is signed out, or may less, sees nothing more. A viewer that
went away is found out by the next write, and is no error.

What such a stream shows itself nobody uses: the page that was left open keeps no session from its
end (`people.console_idle`).
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from aiohttp import ClientConnectionResetError, web

from control.api.permission import allow
from control.console import cookie
from control.console.console import Console
from control.console.headers import PAGE
from control.console.page import Page
from control.console.sampler import Sampler
from control.console.visit import Visit
from control.users.role import Holder

log = logging.getLogger(__name__)

AGAIN = 3.0
"""Seconds between two looks whether the session goes on: for so long at most somebody who was
disabled sees what goes on. One row by its key; 200 viewers ask 67 times a second."""

Shown = Callable[[Visit, Any], str]
"""What a viewer is shown of a sample."""


class Live:
    """Streams of samples, beside the pages of a console."""

    def __init__(self, console: Console, sampler: Sampler[Any]) -> None:
        self._console = console
        self._sampler = sampler

    def mount(self, app: web.Application, path: str, page: Page, shown: Shown) -> None:
        """At `path`, for who may see the page."""

        async def stream(request: web.Request, holder: Holder) -> web.StreamResponse:
            visit = self._console.visit(request, holder)
            allow(holder, *page.needs)
            return await self._stream(request, visit, shown)

        app.router.add_get(path, self._console.known(stream, used=False), allow_head=False)

    async def close(self, _: web.Application) -> None:
        """The process ends."""
        await self._sampler.close()

    async def _stream(self, request: web.Request, visit: Visit, shown: Shown) -> web.StreamResponse:
        samples = self._sampler.watch()
        response = web.StreamResponse(
            headers={**PAGE, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        looked = time.monotonic()
        try:
            async for sample in samples:
                if time.monotonic() - looked >= AGAIN:
                    looked = time.monotonic()
                    if not await self._goes_on(request, visit):
                        break
                if not response.prepared:
                    await response.prepare(request)
                await response.write(event(shown(visit, sample)))
        except ClientConnectionResetError:
            pass
        except Exception as error:
            # Its head is out: a page that says what went wrong would stand in the middle of it. The
            # viewer's browser asks again, and reads it there.
            if not response.prepared:
                raise
            log.warning("a stream of the console ended: %r", error)
        finally:
            await samples.aclose()  # type: ignore[attr-defined]
        if not response.prepared:
            await response.prepare(request)
        return response

    async def _goes_on(self, request: web.Request, visit: Visit) -> bool:
        secret = cookie.session(request)
        return await self._console.browsers.holder(secret, used=False) == visit.holder


def event(text: str) -> bytes:
    """One message, a line each."""
    return ("".join(f"data: {line}\n" for line in text.splitlines()) + "\n").encode()
