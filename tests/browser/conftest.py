"""A control plane and a browser that opens its pages."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from control.app import runner_of
from control.parts import Parts
from tests.browser.chromium import chromium, missing
from tests.support.certificates import Certificate
from tests.support.control.fixtures import api, core

if TYPE_CHECKING:
    from playwright.async_api import Browser

__all__ = ["api", "core"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where no page can be opened, it says why."""
    if why := missing():
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture
async def browser() -> AsyncIterator["Browser"]:
    """One that knows nobody."""
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def origin(core: Parts, certificate: Certificate) -> AsyncIterator[str]:
    """Of `core` in HTTPS, with a certificate that nobody signed: https://127.0.0.1:1234."""
    runner = runner_of(core)
    await runner.setup()
    context = certificate.server_context()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
