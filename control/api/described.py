"""What the API says of itself, put beside what it answers.

Rule: it is made when somebody asks, in a thread: it takes a quarter of a second of the processor,
which a start does not wait for and no other request either.
"""

import asyncio
from functools import cached_property
from typing import Any

import msgspec
from aiohttp import web

from control.api import docspage, negotiation, openapi
from control.api.coding import Sending, going_out
from control.api.needs import Doors, Need, needs
from control.api.precondition import whole
from control.api.route import Route

NEEDS = web.AppKey("needs", list[Need])
"""The route table of an application."""


class Description:
    """Of an application: each part is made once."""

    def __init__(self, routes: list[Route], doors: Doors) -> None:
        self._routes = routes
        self._doors = doors

    @cached_property
    def document(self) -> dict[str, Any]:
        """OpenAPI."""
        return openapi.document(self._routes, self._doors)

    @cached_property
    def described(self) -> tuple[bytes, str]:
        """(JSON of the document, its tag)."""
        found = msgspec.json.encode(self.document)
        return found, whole(found)

    @cached_property
    def drawn(self) -> tuple[bytes, str]:
        """(the document as a page, its tag)."""
        found = docspage.page(self.document).encode()
        return found, whole(found)


DESCRIPTION = web.AppKey("description", Description)


def describe(app: web.Application, routes: list[Route], doors: Doors) -> None:
    """Answers the document, and its page, to everybody: they have nothing of anybody's."""
    app[NEEDS] = needs(routes, doors)
    of = app[DESCRIPTION] = Description(routes, doors)

    async def document(request: web.Request) -> web.Response:
        negotiation.must_answer(request, (negotiation.JSON,))
        found, tag = await asyncio.to_thread(lambda: of.described)
        answer = web.Response(body=found, content_type=negotiation.JSON)
        return going_out(answer, Sending(tag=tag, keep=True))

    async def page(request: web.Request) -> web.Response:
        negotiation.must_answer(request, ("text/html",))
        found, tag = await asyncio.to_thread(lambda: of.drawn)
        answer = web.Response(
            body=found, content_type="text/html", charset="utf-8", headers=docspage.HEADERS
        )
        return going_out(answer, Sending(tag=tag, keep=True))

    app.router.add_get(openapi.PATH, document)
    for path in (docspage.PATH, f"{docspage.PATH}/"):
        app.router.add_get(path, page)
