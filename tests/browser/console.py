"""The console's pages in a browser: all of them, by the product's own table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from yarl import URL

from control.console.views.pages import PAGES
from tests.browser.look import Look
from tests.browser.watched import Watched, watched
from tests.support.control.filled.filled import asked, path_of
from tests.support.control.people import PASSWORD

if TYPE_CHECKING:
    from playwright.async_api import Browser

NOBODYS = ("/sign-in", "/sign-in/link")
"""Pages for who is not signed in."""
PENDING = ".pending"
_NOT_PAGES = ("/api", "/static", "/live", "/healthz", "/readyz", "/metrics")


@dataclass(frozen=True)
class Place:
    """A page, as somebody asks for it."""

    path: str
    """As the table has it."""
    at: str
    """Names and query are in it."""
    status: int = 200

    def __str__(self) -> str:
        return self.at


PLACES = (
    *(Place(path, path) for path in ("/", "/account")),
    *(Place(one.path, str(URL(path_of(one.path)).with_query(asked(one.path)))) for one in PAGES),
    Place("/explain", "/explain?would=1&tenant=acme&from=anna@news.acme.example&to=b@gmail.com"),
    Place("/explain", "/explain?q=00001waits.1"),
    Place("/ips/{ip}", "/ips/192.0.2.14"),
    Place("/tenants/{tenant}", "/tenants/initech"),
    Place("/ips/{ip}", "/ips/198.51.100.9", 404),
    Place("/vmtas", "/audit?since=yesterday", 400),
    Place("/nowhere", "/nowhere", 404),
    *(Place(path, path) for path in NOBODYS),
)


def paths(application: web.Application) -> set[str]:
    """What the application answers with a page, as its routes have it."""
    found = {
        resource.canonical
        for resource in application.router.resources()
        if any(route.method == "GET" for route in resource)
    }
    return {
        path
        for path in found
        if not path.startswith(_NOT_PAGES) and "." not in path.rpartition("/")[2]
    }


@asynccontextmanager
async def visitor(browser: "Browser", origin: str, look: Look, name: str) -> AsyncIterator[Watched]:
    """Somebody who has signed in by the form; one page for all that is looked at."""
    async with watched(browser, origin, look) as one:
        await sign_in(one, name)
        yield one


async def sign_in(one: Watched, name: str) -> None:
    """By the form."""
    await one.open("/sign-in")
    await one.page.get_by_label("Name").fill(name)
    await one.page.get_by_label("Password").fill(PASSWORD)
    await one.page.get_by_role("button", name="Sign in").click()
    await one.page.wait_for_url(f"{one.origin}/")


async def opened(one: Watched, place: Place) -> int:
    """The status of the page, when all of it is there."""
    one.forget()
    status = await one.open(place.at)
    for _ in range(100):
        if not await one.page.locator(PENDING).count():
            break
        if not one.look.scripts:
            await one.open(place.at)
        await one.page.wait_for_timeout(100)
    return status


def faults(one: Watched, place: Place) -> list[str]:
    """What was wrong with it beside what it is asked for to be: what a page that was left had not
    loaded yet ends with it, as its stream does, and a page that is not there has its status."""
    expected = (f"{place.status} {one.origin}{place.at}", f"status of {place.status}")
    return [
        line
        for line in one.wrong()
        if "ERR_ABORTED" not in line
        and not (place.status != 200 and any(part in line for part in expected))
    ]
