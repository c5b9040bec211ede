"""Pictures of every page of the console, for who wants to see it (`make screenshots`).

No test of what is run by itself: it says nothing that tests/browser/test_console.py does not.
Settings by the environment: SENDGATE_PICTURES is the folder (.sendgate/screenshots).
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from control.parts import Parts
from tests.browser.console import NOBODYS, PLACES, opened, visitor
from tests.browser.look import LOOKS, Look
from tests.browser.sheet import sheet
from tests.support.control.core import Api
from tests.support.control.filled.filled import fill
from tests.support.control.people import joined
from tests.support.repository import ROOT

if TYPE_CHECKING:
    from playwright.async_api import Browser

FOLDER = Path(os.environ.get("SENDGATE_PICTURES", ROOT / ".sendgate" / "screenshots"))
SHEET = "console.jpg"
MOST = 390_000
"""Octets of the sheet: it is in the repository."""
ON_SHEET = (Look("light", "desktop"), Look("dark", "phone"))


@pytest.mark.timeout(900)
async def test_pictures(origin: str, browser: "Browser", api: Api, core: Parts) -> None:
    await fill(api, core)
    await joined(core, api, "anna")
    FOLDER.mkdir(parents=True, exist_ok=True)
    made: dict[str, dict[str, Path]] = {}
    for look in (one for one in LOOKS if one.scripts):
        async with visitor(browser, origin, look, "anna") as one:
            for place in PLACES:
                if place.path in NOBODYS:
                    await one.page.context.clear_cookies()
                await opened(one, place)
                at = FOLDER / f"{_named(place.at)}-{look.scheme}-{look.size}.png"
                await one.page.screenshot(path=at, full_page=True)
                made.setdefault(place.at, {})[str(look)] = at
    named = [
        (at.partition("?")[0], [pictures[str(look)] for look in ON_SHEET])
        for at, pictures in made.items()
    ]
    (FOLDER / SHEET).write_bytes(await sheet(browser, named, MOST))


def _named(at: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", at.lower()).strip("-") or "now"
