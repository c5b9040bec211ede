"""A page that somebody opens, and all that was wrong with it meanwhile.

Rule: what is asked of the page is asked through the debugger, which no policy of the page stops;
nothing is added to what it runs itself.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.browser.look import Look

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

_LISTEN = """
addEventListener("securitypolicyviolation", (event) => window.sendgateRefused(
  `${event.effectiveDirective} refused ${event.blockedURI || "inline"} of ${event.sourceFile}`));
"""


class Watched:
    """One page."""

    def __init__(self, page: "Page", origin: str, look: Look) -> None:
        self.page = page
        self.origin = origin
        self.look = look
        self.refused: list[str] = []
        """What its own policy (CSP) stopped."""
        self.said: list[str] = []
        """Errors and warnings of the console, and what its scripts threw."""
        self.outside: list[str] = []
        """Addresses beyond its origin that it asked for; none of them was answered."""
        self.failed: list[str] = []
        """Answers of 400 and above, and what had no answer."""

    def wrong(self) -> list[str]:
        """All of it, a line each."""
        return [f"{kind}: {one}" for kind, found in self._found().items() for one in found]

    def forget(self) -> None:
        """Another page begins."""
        for found in self._found().values():
            found.clear()

    def _found(self) -> dict[str, list[str]]:
        kinds = {"CSP": self.refused, "console": self.said, "outside": self.outside}
        return {**kinds, "answer": self.failed}

    async def open(self, path: str) -> int:
        """Its status, when the page and all that it asked for is there."""
        answer = await self.page.goto(self.origin + path, wait_until="load")
        assert answer is not None, path
        return answer.status

    async def width_beyond(self) -> int:
        """CSS pixels that it is wider than what shows it: who reads scrolls to and fro."""
        return int(
            await self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )


@asynccontextmanager
async def watched(
    browser: "Browser", origin: str, look: Look | None = None
) -> AsyncIterator[Watched]:
    """An empty one, for pages of `origin` (https://127.0.0.1:1234); its cookies go with it."""
    look = look or Look()
    context = await browser.new_context(**look.options())
    try:
        page = await context.new_page()
        found = Watched(page, origin, look)
        await _watch(context, page, found)
        yield found
    finally:
        await context.close()


async def _watch(context: "BrowserContext", page: "Page", found: Watched) -> None:
    async def refused(_: Any, said: str) -> None:
        found.refused.append(said)

    await context.expose_binding("sendgateRefused", refused)
    await context.add_init_script(_LISTEN)

    async def only_ours(route: Any) -> None:
        if _origin(route.request.url) == found.origin:
            await route.continue_()
        else:
            found.outside.append(route.request.url)
            await route.abort()

    await context.route(lambda _: True, only_ours)
    page.on("pageerror", lambda error: found.said.append(f"thrown: {error}"))
    page.on(
        "console",
        lambda message: (
            message.type in ("error", "warning")
            and found.said.append(f"{message.type}: {message.text}")
        ),
    )
    page.on(
        "response",
        lambda answer: (
            answer.status >= 400 and found.failed.append(f"{answer.status} {answer.url}")
        ),
    )
    page.on("requestfailed", lambda asked: found.failed.append(f"{asked.failure} {asked.url}"))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
