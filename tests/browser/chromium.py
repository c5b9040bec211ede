"""The distribution's Chromium, driven by playwright from a venv of its own (`make browser`)."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.support.repository import ROOT

if TYPE_CHECKING:
    from playwright.async_api import Browser

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    # What it would ask its maker by itself is no request of a page.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing() -> str:
    """Why no page can be opened here; '' where one can."""
    if shutil.which("chromium") is None:
        return "Chromium is not installed: apt-get install chromium"
    if not _packages():
        return "playwright is not installed: make browser"
    return ""


def _packages() -> list[str]:
    return [str(path) for path in (ROOT / ".venv-browser").glob("lib/python3.*/site-packages")]


@asynccontextmanager
async def chromium() -> AsyncIterator["Browser"]:
    """One of its own; what it is given is gone with it."""
    if not set(_packages()) <= set(sys.path):
        sys.path += _packages()
    from playwright.async_api import async_playwright  # noqa: PLC0415, RUF100 - found only now

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        try:
            yield browser
        finally:
            await browser.close()
