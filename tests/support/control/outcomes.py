"""What became of messages: told as a gateway does, read as control does, asked for."""

import urllib.parse
from typing import Any

from control.messages.reader import OutcomeReader
from control.parts import Parts
from gateway.ledger.outcomes import Outcomes
from gateway.watch.log import Log
from policy.limits import DAY
from tests.support.control.core import Api


def reader(core: Parts) -> OutcomeReader:
    """Control's."""
    return OutcomeReader(
        core.pool,
        core.admin.client,
        core.admin.name,
        key=core.naming_key,
        calendar=core.calendar,
        names_most=core.settings.statistics.names,
    )


async def tell(core: Parts, *told: dict[str, Any], days_ago: int = 0) -> None:
    """As a gateway's flusher does."""
    now, _ = await core.admin.now()
    heard = Outcomes(core.admin.client, core.admin.name, Log(), now=lambda: now - days_ago * DAY)
    for number, fields in enumerate(told):
        plain: dict[str, Any] = {
            "message": f"message{number}",
            "tenant": "acme",
            "recipients": ["anna@gmail.com"],
            "outcome": "relayed",
        }
        heard.hear({**plain, **fields})
    await heard.flush()


async def read_all(core: Parts) -> None:
    """To the end of the stream."""
    reading = reader(core)
    while await reading.step():
        pass


async def found(api: Api, **query: str) -> Any:
    """The page that answers."""
    status, page = await api("GET", f"/api/v2/messages?{urllib.parse.urlencode(query)}")
    assert status == 200, page
    return page


async def count(core: Parts) -> int:
    """Rows of the table."""
    return int(await core.pool.fetchval("SELECT count(*) FROM outcome"))
