"""The tests of pages see what they look for: here stands a page with one fault of each kind."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.browser.accessible import barriers, unreachable
from tests.browser.look import Look
from tests.browser.watched import watched

if TYPE_CHECKING:
    from playwright.async_api import Browser

_PAGE = """<!doctype html><html lang="en"><head><title>Wrong</title>
<script src="http://203.0.113.9/counter.js"></script>
<style>a { outline: none } .far { width: 3000px }</style></head>
<body><main><h1>Wrong</h1><p class="far" style="color: #fff">pale</p>
<a href="#here">found</a> <a href="#there" tabindex="-1">never</a>
<input><img src="/nowhere.png" alt="">
<p style="color: #eee; background: #fff">pale</p></main>
<script>console.error("said"); throw new Error("thrown");</script></body></html>"""


@pytest.fixture
async def wrong() -> AsyncIterator[str]:
    """Its origin; /strict has a policy (CSP), / none."""

    async def page(request: web.Request) -> web.Response:
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        strict = policy if request.path == "/strict" else {}
        return web.Response(text=_PAGE, content_type="text/html", headers=strict)

    application = web.Application()
    application.router.add_get("/", page)
    application.router.add_get("/strict", page)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_each_fault_of_a_page_is_found(wrong: str, browser: "Browser") -> None:
    async with watched(browser, wrong) as one:
        assert await one.open("/") == 200
        assert one.outside == ["http://203.0.113.9/counter.js"]
        assert {"error: said", "thrown: thrown"} <= set(one.said)
        assert f"404 {wrong}/nowhere.png" in one.failed
        assert one.refused == []
        assert await one.width_beyond() > 1000
        rules = {line.split()[1] for line in await barriers(one)}
        assert {"color-contrast", "label"} <= rules
        [unseen] = [line for line in await unreachable(one) if line.startswith("no sign")]
        assert "found" in unseen


@pytest.mark.parametrize("scripts", [True, False])
async def test_what_a_policy_stops_is_found(wrong: str, browser: "Browser", scripts: bool) -> None:
    async with watched(browser, wrong, Look(scripts=scripts)) as one:
        await one.open("/strict")
        assert [line for line in one.wrong() if "img-src" in line]
        assert bool(one.refused) == scripts
        assert bool([line for line in one.said if "script-src" in line]) == scripts


async def test_what_tab_does_not_come_to_is_found(wrong: str, browser: "Browser") -> None:
    async with watched(browser, wrong) as one:
        await one.open("/strict")
        await one.page.evaluate(
            "addEventListener('keydown', (e) => e.key === 'Tab' "
            "&& document.activeElement.tagName === 'A' && e.preventDefault())"
        )
        assert [line for line in await unreachable(one) if "<input" in line]
