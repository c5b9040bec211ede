"""The API as it is, without a server: put together over a database and a ledger that nobody opened.

Rule: the application is the one that control serves, so that what is said here of its routes is
what they are; nothing is connected and nothing asked.
"""

from control.api.described import NEEDS
from control.api.needs import Need
from control.app import application
from control.parts import put_together
from policy.ledger.connection import connect
from settings.model import Settings


async def route_table() -> list[Need]:
    """Every operation with what it needs, by path. Async, because parts are made in a running
    loop."""
    settings = Settings()
    return application(put_together(settings, None, connect(settings.ledger.url)))[NEEDS]
