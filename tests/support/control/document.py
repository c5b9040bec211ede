"""The document of this version, without a server."""

import asyncio
import functools
from typing import Any

from control.api.described import DESCRIPTION, NEEDS
from control.api.needs import Need
from control.app import application
from control.parts import put_together
from policy.ledger.connection import connect
from settings.model import Settings


@functools.cache
def _described() -> tuple[dict[str, Any], list[Need]]:
    async def make() -> tuple[dict[str, Any], list[Need]]:
        settings = Settings()
        app = application(put_together(settings, None, connect(settings.ledger.url)))
        return app[DESCRIPTION].document, app[NEEDS]

    return asyncio.run(make())


def whole() -> dict[str, Any]:
    """As it is served."""
    return _described()[0]


def table() -> list[Need]:
    """The route table."""
    return _described()[1]
