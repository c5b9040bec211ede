"""/metrics: one look at what control knows, for Prometheus."""

import asyncio
import time
from collections.abc import Awaitable
from importlib.metadata import version
from typing import TypeVar

import asyncpg
from redis.exceptions import RedisError

from control.accounting.status import StreamView, streams
from control.api.route import Call, Route
from control.problem import RefusedError
from control.watch.figures import Figures
from control.watch.metrics import exposition

T = TypeVar("T")
_STARTED = time.time()
"""When this process loaded the API, seconds of real time."""


async def _metrics(call: Call) -> str:
    core = call.core

    async def accounting() -> list[StreamView]:
        return await streams(core.pool, core.settings.accounting, await core.calendar())

    async def published() -> int | None:
        last = await core.publisher.current()
        return None if last is None else last.number

    ledger, feeds, workers, number = await asyncio.gather(
        _told(core.opening.status()),
        _told(accounting()),
        _told(core.admin.workers()),
        _told(published()),
    )
    figures = Figures(ledger=ledger, streams=feeds, workers=workers, published=number)
    return exposition(
        figures,
        ledger=core.settings.ledger.name,
        version=version("sendgate"),
        started=_STARTED,
    )


async def _told(figure: Awaitable[T]) -> T | None:
    """A figure, or None while the part that knows it is away."""
    try:
        return await figure
    except (RedisError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RefusedError):
        return None


ROUTES = [Route("GET", "/metrics", "What control knows, for Prometheus", _metrics, str)]
