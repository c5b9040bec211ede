"""Every page of the console in a browser: nothing is asked of others, nothing fails, nobody is kept
out, whatever it is looked at with, with something in it and with nothing."""

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

import pytest

from control.app import application
from control.parts import Parts
from tests.browser.accessible import barriers, unreachable
from tests.browser.console import NOBODYS, PLACES, Place, faults, opened, paths, visitor
from tests.browser.look import SIZES, Look
from tests.browser.watched import Watched
from tests.support.control.core import Api
from tests.support.control.filled.filled import fill
from tests.support.control.people import joined

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.timeout(400)
EMPTY = (Look("light", "desktop"), Look("dark", "phone"))


@pytest.fixture
async def filled(api: Api, core: Parts) -> None:
    """Every page has something to show, and anna may do all."""
    await fill(api, core)
    await joined(core, api, "anna")


def test_each_page_is_looked_at(core: Parts) -> None:
    """A page that is new is in the product's table, and so here; one beside it has to be told."""
    assert paths(application(core)) <= {place.path for place in PLACES}


async def seen(
    browser: "Browser", origin: str, looks: Iterable[Look], places: Iterable[Place]
) -> list[str]:
    """All that is wrong with them, a line each."""
    wrong: list[str] = []
    for look in looks:
        async with visitor(browser, origin, look, "anna") as one:
            for place in places:
                wrong += [f"{place} {look}: {line}" for line in await _seen(one, place)]
    return wrong


async def _seen(one: Watched, place: Place) -> list[str]:
    if place.path in NOBODYS:
        await one.page.context.clear_cookies()
    status = await opened(one, place)
    found = [] if status == place.status else [f"status {status}"]
    found += faults(one, place)
    beyond = await one.width_beyond()
    found += [f"{beyond} px wider than its window"] if beyond > 0 else []
    if one.look.scripts:
        found += await barriers(one)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_with_something_in_them(
    origin: str, browser: "Browser", filled: None, scheme: str
) -> None:
    looks = [Look(scheme, size) for size in SIZES]
    assert await seen(browser, origin, looks, PLACES) == []


async def test_pages_without_javascript(origin: str, browser: "Browser", filled: None) -> None:
    looks = [Look(*one, scripts=False) for one in product(("light", "dark"), SIZES)]
    assert await seen(browser, origin, looks, PLACES) == []


async def test_pages_with_nothing_in_them(
    origin: str, browser: "Browser", api: Api, core: Parts
) -> None:
    """Those that need nothing to be there."""
    await joined(core, api, "anna")
    places = [one for one in PLACES if "{" not in one.path and one.path not in NOBODYS]
    assert await seen(browser, origin, EMPTY, places) == []


async def test_who_has_a_keyboard_alone_comes_everywhere(
    origin: str, browser: "Browser", filled: None
) -> None:
    wrong: list[str] = []
    async with visitor(browser, origin, Look(), "anna") as one:
        for place in PLACES:
            if place.path in NOBODYS:
                await one.page.context.clear_cookies()
            await opened(one, place)
            wrong += [f"{place}: {line}" for line in await unreachable(one)]
    assert wrong == []
