"""The pages that stand by themselves, as a browser shows them: whatever it is, whoever looks."""

import re
from typing import TYPE_CHECKING

import pytest

from control.parts import Parts
from tests.browser.accessible import barriers, unreachable
from tests.browser.look import LOOKS, Look
from tests.browser.watched import watched
from tests.support.control.people import PASSWORD, invited

if TYPE_CHECKING:
    from playwright.async_api import Browser

DOCUMENT = "/api/docs"
PAGES = {
    DOCUMENT: "main section.one h3 code",
    "/api/problems": "main dl dt a",
    "/api/problems/invalid": "main dl dt",
    "/api/v1/auth/link": "main h1",
}
"""Path to something that it shows."""


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_a_page_asks_nothing_of_others_and_keeps_nobody_out(
    origin: str, browser: "Browser", look: Look
) -> None:
    for path, shown in PAGES.items():
        async with watched(browser, origin, look) as one:
            assert await one.open(path) == 200
            assert await one.page.locator(shown).first.is_visible(), path
            assert path == DOCUMENT or await barriers(one) == [], path
            assert await one.width_beyond() <= 0, path
            assert one.wrong() == [], path


@pytest.mark.parametrize("look", [Look(), Look("dark", "phone")], ids=str)
async def test_no_part_of_the_document_keeps_anybody_out(
    origin: str, browser: "Browser", look: Look
) -> None:
    """Apart: axe looks at 40,000 nodes for a quarter of a minute."""
    async with watched(browser, origin, look) as one:
        await one.open(DOCUMENT)
        assert await barriers(one) == []


@pytest.mark.parametrize("path", PAGES)
async def test_who_has_a_keyboard_alone_comes_everywhere(
    origin: str, browser: "Browser", path: str
) -> None:
    async with watched(browser, origin) as one:
        await one.open(path)
        assert await unreachable(one) == []


async def test_a_one_time_link_chooses_a_password_and_stands_in_no_history(
    origin: str, browser: "Browser", core: Parts
) -> None:
    secret = await invited(core, "anna")
    async with watched(browser, origin, Look(scheme="dark", size="phone")) as one:
        await one.open(f"/api/v1/auth/link#{secret}")
        assert one.page.url == f"{origin}/api/v1/auth/link"
        await one.page.get_by_label(re.compile("^Password")).fill(PASSWORD)
        await one.page.get_by_label("Once more").fill("something else")
        await one.page.keyboard.press("Enter")
        said = one.page.get_by_role("status")
        assert await said.inner_text() == "The two are not the same."
        await one.page.get_by_label("Once more").fill(PASSWORD)
        assert await unreachable(one) == []
        assert await barriers(one) == []
        await one.page.get_by_role("button").click()
        await said.filter(has_text="anna has this password now.").wait_for()
        assert one.wrong() == []
        assert await one.page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
