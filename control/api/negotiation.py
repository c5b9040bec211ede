"""Which media types a route takes and answers: 415 and 406 (RFC 9110, 15.5.16 and 15.5.7).

Rule: asked before anything is done, because a change that was made must not be answered 406. An
error is told as `application/problem+json` to everybody: who cannot read that has its status.
The doors of PowerMTA's accounting are not asked: they know a body by what is in it, and a record is
never lost for its label.
"""

import re
from collections.abc import Mapping

from aiohttp import web

from control import kinds
from control.api.route import Route
from control.problem import RefusedError, quoted

JSON, TEXT = "application/json", "text/plain"

_UNSAID = frozenset({"", "application/octet-stream"})
"""RFC 9110, 8.3: no type at all may be taken as this one, and libraries say it for octets they know
nothing of. A form (`curl -d` without -H) is not among them: any page of a browser can post one."""

_CODINGS = frozenset({"", "identity", "gzip", "x-gzip"})

_ELEMENT = re.compile(r'(?:[^,"]++|"(?:\\.|[^"\\])*+")++')
"""One of a list; a comma may stand in quotes."""
_WEIGHT = re.compile(r"\s*;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?=;|$)", re.IGNORECASE)


class UnsupportedError(RefusedError):
    """What was sent is of a type, or coded in a way, that is not taken (415)."""

    def __init__(self, detail: str, field: str, header: str, taken: str) -> None:
        super().__init__(detail, kind=kinds.UNSUPPORTED, field=field)
        self.headers = {header: taken}


def media(route: Route) -> tuple[str, ...]:
    """Media types that it answers."""
    if route.answer is str:
        return (TEXT,)
    return (JSON, TEXT) if route.text else (JSON,)


def must_take(request: web.Request) -> None:
    """Of a route that has a body. Raises RefusedError (415)."""
    given = request.headers.get("Content-Type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind != JSON and kind not in _UNSAID:
        raise UnsupportedError(
            f"Content-Type {quoted(kind)} is not taken here: send {JSON}",
            *("Content-Type", "Accept", JSON),
        )
    for coding in request.headers.get("Content-Encoding", "").split(","):
        if coding.strip().lower() not in _CODINGS:
            raise UnsupportedError(
                f"Content-Encoding {quoted(coding.strip())} is not taken here: send gzip, or the "
                "body as it is",
                *("Content-Encoding", "Accept-Encoding", "gzip"),
            )


def must_answer(request: web.Request, media: tuple[str, ...]) -> None:
    """Raises RefusedError (406) unless one of these is accepted."""
    given = ",".join(request.headers.getall("Accept", []))
    if given.strip(" \t,") and not any(weight(given, kind) for kind in media):
        raise RefusedError(
            f"Accept {quoted(given)} leaves out all that this path answers: accept "
            f"{' or '.join(media)}",
            kind=kinds.NOT_ACCEPTABLE,
            field="Accept",
        )


def weight(accept: str, kind: str) -> float:
    """Of a media type: that of the range which names it most closely (RFC 9110, 12.5.1), 0 where
    none does. Parameters of a range are no condition: each type is answered in one shape. Pure."""
    found = weight_of(accept, {"*/*": 0, f"{kind.partition('/')[0]}/*": 1, kind: 2})
    return found or 0.0


def weight_of(given: str, wanted: Mapping[str, int]) -> float | None:
    """Of that one of `wanted` which a list names and which is nearest (the highest number); None
    where it names none. Pure."""
    found: dict[int, float] = {}
    for element in _ELEMENT.findall(given):
        near = wanted.get(element.partition(";")[0].strip().lower())
        if near is not None:
            said = _WEIGHT.search(element)
            found[near] = max(found.get(near, 0.0), float(said[1]) if said else 1.0)
    return found[max(found)] if found else None
