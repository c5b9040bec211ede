"""Whether a form comes from a page of ours: what another site's page sends in its reader's name is
refused (cross-site request forgery).

Rule: besides the cookie, which is `SameSite=Strict`, what the browser itself says counts: both
`Sec-Fetch-Site` (Fetch Metadata) and `Origin`, each where it is sent, and one has to be. A script
cannot write either.
"""

from urllib.parse import urlsplit

from aiohttp import web

from control.problem import RefusedError


def must_be_ours(request: web.Request, url: str) -> None:
    """`url`: where people reach control, where that is set. Raises RefusedError (403)."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None and origin is None:
        raise _foreign("the browser does not say which page sent this (no Origin)")
    if site is not None and site != "same-origin":
        raise _foreign("another site's page sent this")
    if origin is not None and not _same(origin, request, url):
        raise _foreign("a page of another origin sent this")


def _same(origin: str, request: web.Request, url: str) -> bool:
    if url and origin == _origin(url):
        return True
    found = urlsplit(origin)
    # In HTTPS nobody on the way may have made the page; a proxy before plain HTTP may speak either.
    schemes = ("https",) if request.secure else ("http", "https")
    return found.scheme in schemes and found.netloc.lower() == request.host.lower()


def _origin(url: str) -> str:
    found = urlsplit(url)
    return f"{found.scheme}://{found.netloc}".lower()


def _foreign(detail: str) -> RefusedError:
    return RefusedError(
        f"{detail}: nothing was done",
        status=403,
        fix="open the console itself and do it there; behind a proxy set people.url to the address "
        "that people type",
    )
