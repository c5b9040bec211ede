"""The console's two cookies: who is signed in, and what is to be said on the next page.

Rule: both are `__Host-` ones (RFC 6265bis, 4.1.3.2): from this host alone, to every path of it,
over HTTPS; no script reads them, and no other site's page sends them along. Plain HTTP is for
`localhost` and 127.0.0.1, where Chromium and Firefox take them all the same; Safari does not.
"""

import base64
import binascii

from aiohttp import web

SESSION, SAID = "__Host-sendgate", "__Host-sendgate-said"
LONGEST = 2_000
"""Octets of what is said: a browser need not keep more than 4096 of a cookie."""
SHORT = 60
"""Seconds until what nobody came to read is dropped."""


def session(request: web.Request) -> str:
    """As the browser sent it; empty: it has none."""
    return request.cookies.get(SESSION, "")


def begin(response: web.StreamResponse, secret: str, seconds: float) -> None:
    """Signed in, for so long at most."""
    _set(response, SESSION, secret, round(seconds))


def end(response: web.StreamResponse) -> None:
    """Signed out."""
    _set(response, SESSION, "", 0)


def say(response: web.StreamResponse, text: str) -> None:
    """To be shown by the next page."""
    octets = text.encode("utf-8", "replace")[:LONGEST]
    _set(response, SAID, base64.urlsafe_b64encode(octets).decode().rstrip("="), SHORT)


def said(request: web.Request) -> str:
    """What the page before left to be shown; what nobody could have left is nothing."""
    given = request.cookies.get(SAID, "")
    try:
        octets = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    return octets.decode("utf-8", "ignore")


def shown(response: web.StreamResponse) -> None:
    """It was."""
    _set(response, SAID, "", 0)


def _set(response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Strict"
    )
