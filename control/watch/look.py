"""The figures, gathered: every part is asked at once, each answers for itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from control.accounting.setaside import Backlog
from control.accounting.status import StreamView
from control.bypass.view import Standing
from control.ledger.carryover import Figure
from control.ledger.opening import Opening
from control.messages.loss import Loss
from control.plan.publish import Publisher
from control.pmta.told import ToldView
from control.problem import RefusedError
from control.store.refusal import UNREACHABLE
from control.suppressions.listed import Listed
from control.watch.figures import Figures
from control.watch.named import Asked
from policy.ledger.admin import LedgerAdmin

Streams = Callable[[], Awaitable[list[StreamView]]]

Lost = Callable[[], Awaitable[Loss]]

Backlogs = Callable[[], Awaitable[Backlog]]

Reports = Callable[[], Awaitable[list[ToldView]]]

Around = Callable[[], Awaitable[list[Standing]]]

T = TypeVar("T")


class Look:
    """Call it for the figures of now."""

    def __init__(
        self,
        opening: Opening,
        streams: Streams,
        admin: LedgerAdmin,
        publisher: Publisher,
        lost: Lost,
        backlog: Backlogs,
        around: Around,
        carried: Callable[[], list[Figure]],
        told: Reports,
        named: Asked,
        listed: Callable[[], Awaitable[Listed]],
    ) -> None:
        self._opening = opening
        self._streams = streams
        self._admin = admin
        self._publisher = publisher
        self._lost = lost
        self._backlog = backlog
        self._around = around
        self._carried = carried
        self._reports = told
        self._named = named
        self._listed = listed

    async def __call__(self) -> Figures:
        """Never raises for a part that is away."""
        (
            ledger,
            feeds,
            workers,
            number,
            (lost, backlog, around, told, listed),
            (named, circuits),
        ) = await asyncio.gather(
            _told(self._opening.status()),
            _told(self._streams()),
            _told(self._admin.workers()),
            _told(self._published()),
            # Apart: six are as many as it has types for.
            asyncio.gather(
                _told(self._lost()),
                _told(self._backlog()),
                _told(self._around()),
                _told(self._reports()),
                _told(self._listed()),
            ),
            asyncio.gather(_told(self._named()), _told(self._admin.circuits())),
        )
        return Figures(
            ledger=ledger,
            streams=feeds,
            workers=workers,
            published=number,
            lost=None if lost is None else lost.recipients,
            backlog=backlog,
            around=around,
            carried=self._carried(),
            told=told,
            named=named,
            circuits=circuits,
            listed=listed,
        )

    async def _published(self) -> int | None:
        last = await self._publisher.current()
        return None if last is None else last.number


async def _told(figure: Awaitable[T]) -> T | None:
    """A figure, or None while the part that knows it is away."""
    try:
        return await figure
    except (RedisError, RefusedError, *UNREACHABLE):
        return None
