"""What the API says of itself, put beside what it answers."""

from functools import cache
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
DOCUMENT = web.AppKey("document", dict[str, Any])


def describe(app: web.Application, routes: list[Route], doors: Doors) -> None:
    """Answers the document, and its page, to everybody: they have nothing of anybody's."""
    app[NEEDS] = needs(routes, doors)
    app[DOCUMENT] = openapi.document(routes, doors)
    described = msgspec.json.encode(app[DOCUMENT])
    tag = whole(described)

    async def document(request: web.Request) -> web.Response:
        negotiation.must_answer(request, (negotiation.JSON,))
        answer = web.Response(body=described, content_type=negotiation.JSON)
        return going_out(answer, Sending(tag=tag, keep=True))

    @cache
    def drawn() -> bytes:
        return docspage.page(app[DOCUMENT]).encode()

    async def page(request: web.Request) -> web.Response:
        negotiation.must_answer(request, ("text/html",))
        answer = web.Response(
            body=drawn(), content_type="text/html", charset="utf-8", headers=docspage.HEADERS
        )
        return going_out(answer, Sending(tag=whole(drawn()), keep=True))

    app.router.add_get(openapi.PATH, document)
    for path in (docspage.PATH, f"{docspage.PATH}/"):
        app.router.add_get(path, page)
