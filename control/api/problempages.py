"""/api/problems/NAME: what a problem's `type` points to (RFC 9457, 3.1.1), for people and programs.

Rule: everybody may read them, without a token: who is refused one must be able to. A browser gets
a page, which runs and loads nothing; who accepts JSON and no HTML gets the entry of the table.
"""

from html import escape
from typing import Any

import msgspec
from aiohttp import web

from control.api.coding import Sending, going_out
from control.api.contentpolicy import STYLE, allowed
from control.api.negotiation import JSON, must_answer, weight
from control.kind import PATH, Kind
from control.kinds import KINDS
from control.problem import missing

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {allowed(STYLE)}; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept",
}
HTML = "text/html"
ONE = f"{PATH}/{{kind}}"


class ProblemKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem."""

    type: str
    """As problems have it."""
    status: int
    title: str
    means: str
    fix: str
    """What to do; the problem itself says it of its field."""


class ProblemKinds(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    problems: list[ProblemKind]


def add(router: web.UrlDispatcher) -> None:
    """Both paths, each with and without a slash behind it."""
    for path, page in ((PATH, _all), (ONE, _one)):
        router.add_get(path, page)
        router.add_get(f"{path}/", page)


async def _all(request: web.Request) -> web.Response:
    found = [_told(kind) for kind in KINDS.values()]
    rows = "".join(
        f'<dt><a href="{PATH}/{kind.name}">{escape(kind.name)}</a> ({kind.status})</dt>'
        f"<dd>{escape(kind.title)}</dd>"
        for kind in KINDS.values()
    )
    return _answer(request, ProblemKinds(problems=found), "What the API refuses", rows)


async def _one(request: web.Request) -> web.Response:
    """Raises RefusedError (404)."""
    name = request.match_info["kind"]
    if name not in KINDS:
        raise missing("kind of problem", name)
    told = _told(KINDS[name])
    parts = {"Type": told.type, "Status": told.status, "It means": told.means, "To do": told.fix}
    rows = "".join(f"<dt>{name}</dt><dd>{escape(str(text))}</dd>" for name, text in parts.items())
    rows += f'<dt>Others</dt><dd><a href="{PATH}">all kinds</a></dd>'
    return _answer(request, told, told.title, rows)


def _told(kind: Kind) -> ProblemKind:
    return ProblemKind(
        type=kind.type,
        status=kind.status,
        title=kind.title,
        means=kind.means,
        fix=kind.remedy("the named field"),
    )


def _answer(request: web.Request, told: Any, title: str, rows: str) -> web.Response:
    must_answer(request, (JSON, HTML))
    if not _html(",".join(request.headers.getall("Accept", []))):
        body = msgspec.json.encode(told)
        return going_out(web.Response(body=body, content_type=JSON, headers=HEADERS), Sending())
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Sendgate: {escape(title)}</title>"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1><dl>{rows}</dl></main></body></html>\n"
    )
    return going_out(web.Response(text=text, content_type=HTML, headers=HEADERS), Sending())


def _html(accept: str) -> bool:
    """Whether a page is meant: who says nothing, or takes anything, as scripts do, gets JSON."""
    named = HTML in accept.lower()
    return named and 0 < weight(accept, HTML) >= weight(accept, JSON)
