"""Answers packed with gzip for who takes it (RFC 9110, 8.4 and 12.5.3).

Rule: a packed answer is another representation, with a tag of its own (8.8.3.3): SUFFIX behind that
of the plain one, which changes do not look at (control/api/precondition.py). Only what says so by
`going_out` is packed, never what shows a secret (`Route.secret`): how long a packed text is tells
what repeats in it, so that who can put words beside a secret guesses it letter by letter (BREACH,
2013).
"""

import asyncio
import gzip
from dataclasses import dataclass

from aiohttp import hdrs, web

from control.api.conditions import answered
from control.api.negotiation import weight_of
from settings.control import Control

SUFFIX = "-gzip"

HEADERS = {
    "Content-Encoding": {
        "description": "gzip: of control.pack_least octets or more, where Accept-Encoding takes it",
        "schema": {"type": "string"},
    },
    "Vary": {"description": "Accept-Encoding, where it may be", "schema": {"type": "string"}},
}
"""What the API's document says of it."""


@dataclass(frozen=True)
class Sending:
    """How an answer goes out."""

    tag: str = ""
    """Of its plain representation; empty: it has none."""
    weak: bool = False
    """Whether that is a weak one."""
    packs: bool = True
    """Whether it may be packed."""
    keep: bool = False
    """It is the same for as long as the process lives: it is packed once. It has a tag."""


_SENDING = web.ResponseKey("sending", Sending)


def going_out(response: web.Response, sending: Sending) -> web.Response:
    """The same, to be sent so."""
    response[_SENDING] = sending
    return response


class Coding:
    """Of one application."""

    def __init__(self, settings: Control) -> None:
        self._least, self._inline = settings.pack_least, settings.pack_inline
        self._slots = asyncio.Semaphore(settings.pack_at_once)
        self._kept: dict[str, bytes] = {}

    async def sent(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """An answer as it goes out: with its tag, if it has one, packed if it may be; 304 where the
        asker has it. Raises RefusedError (412)."""
        sending = response.get(_SENDING)
        if sending is None or not isinstance(response, web.Response):
            return response
        body = response.body
        assert isinstance(body, bytes)
        large = sending.packs and len(body) >= self._least
        packs = sending.packs and takes(request, large=large)
        tag = sending.tag + SUFFIX * packs
        found = answered(request, response, tag, weak=sending.weak) if sending.tag else response
        if large or packs:
            before = found.headers.get(hdrs.VARY)
            found.headers[hdrs.VARY] = ", ".join(filter(None, (before, hdrs.ACCEPT_ENCODING)))
        if packs and found is response:
            response.body = await self._packed(body, sending)
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        return found

    async def _packed(self, body: bytes, sending: Sending) -> bytes:
        if sending.keep and (kept := self._kept.get(sending.tag)) is not None:
            return kept
        if len(body) <= self._inline:
            made = packed(body)
        else:
            async with self._slots:
                made = await asyncio.to_thread(packed, body)
        if sending.keep:
            self._kept[sending.tag] = made
        return made


def takes(request: web.Request, *, large: bool) -> bool:
    """Whether it is to be packed: where it is worth it, and liked no less than the plain one; a
    small one where it is taken in no other way."""
    given = ",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, []))
    if not given.strip(" \t,"):
        return False
    star = weight_of(given, {"*": 0})
    gzipped = weight_of(given, {"gzip": 0, "x-gzip": 0})
    gzipped = (star or 0.0) if gzipped is None else gzipped
    # Not named, and no star either, it may be sent, if nothing else is liked.
    plain = weight_of(given, {"identity": 0})
    plain = star if plain is None else plain
    return gzipped > 0 and (plain == 0 or (large and gzipped >= (plain or 0.0)))


def packed(body: bytes) -> bytes:
    """The same octets each time: the tag says that. Pure."""
    return gzip.compress(body, 6, mtime=0)
