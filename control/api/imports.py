"""/api/v2/accounting/imports: history of accounting, brought in parts."""

import msgspec
from aiohttp import web

from control.accounting.importing import ImportFile, ImportQuery, Imports, ImportView
from control.api.agent import Parcel
from control.api.listing import Listing
from control.api.route import Call, Route
from control.problem import bad, missing
from control.values.part import Slice

PART = "/api/v2/accounting/imports/{import}/parts"
"""Where the parts of one are posted, packed."""

_MOST = 1 << 50
_OFFSET = {"type": "integer", "minimum": 0, "maximum": _MOST}
PART_QUERY = [
    {
        "name": name,
        "in": "query",
        "required": True,
        "schema": _OFFSET,
        "description": f"where the part {what}, in octets of the unpacked content",
    }
    for name, what in (("from", "begins"), ("upto", "ends"))
] + [
    {
        "name": "last",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "1: it is the last part",
        "example": "1",
    }
]
"""What the document says of a part's query."""


class ImportsApi:
    """Over `imports`."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports

    async def _list(self, call: Call) -> Slice[ImportView]:
        return await self._imports.list(call.wanted, call.parted)

    async def _begin(self, call: Call) -> ImportView:
        return await self._imports.begin(call.body, call.who)

    async def _one(self, call: Call) -> ImportView:
        return await self._imports.one(_number(call.path["import"]))

    def routes(self) -> list[Route]:
        """All of them."""
        path = "/api/v2/accounting/imports"
        return [
            Route(
                "GET",
                path,
                "Imports, the newest first",
                self._list,
                list[ImportView],
                wanted=ImportQuery,
                listing=Listing(key=("id",), sorts=("-id", "id")),
            ),
            Route(
                "POST",
                path,
                "Begin the import of a file, or find the one there is",
                self._begin,
                ImportView,
                body=ImportFile,
            ),
            Route("GET", f"{path}/{{import}}", "How far an import is", self._one, ImportView),
        ]


class PartsApi:
    """POST …/parts?from=&upto=&last=, a part of a file; `parcel` lets in who may post it."""

    def __init__(self, imports: Imports, parcel: Parcel) -> None:
        self._imports = imports
        self._parcel = parcel

    async def part(self, request: web.Request) -> web.Response:
        """One part. Raises RefusedError."""
        _, body = await self._parcel(request)
        begin, end = (_offset(request, name) for name in ("from", "upto"))
        last = request.query.get("last", "") in ("1", "true")
        number = _number(request.match_info["import"])
        view = await self._imports.put(number, begin, end, last, body)
        return web.Response(body=msgspec.json.encode(view), content_type="application/json")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise missing("import", text)
    return int(text)


def _offset(request: web.Request, name: str) -> int:
    text = request.query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= _MOST):
        raise bad(name, f"an offset up to {_MOST} is wanted")
    return int(text)
