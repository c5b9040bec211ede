"""The figures that users of warm-up call for, kept so that nobody waits for a look at all parts.

Failure: a part that is away takes its own figures with it, and is said.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from control.again import again
from control.health.health import HealthView, health
from control.ledger.limits import Limit
from control.progress.progress import Progress
from control.store.refusal import UNREACHABLE
from control.watch.figures import Figures
from control.watch.warmup import WarmupMetrics, warmup_metrics
from settings.statistics import Statistics

log = logging.getLogger(__name__)

Asked = Callable[[], Awaitable[Figures]]


class Called:
    """Of one control process. `clock`: real elapsed seconds."""

    def __init__(
        self,
        pool: Any,
        progress: Progress,
        look: Asked,
        settings: Statistics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._progress = progress
        self._look = look
        self._settings = settings
        self._clock = clock
        self._known: tuple[float, Figures, list[HealthView] | None] | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        await again(self.refresh, self._settings.mailboxes_look, log, "parts are not looked at")

    async def refresh(self) -> None:
        """Look at all parts now."""
        async with self._turn:
            figures = await self._look()
            self._known = self._clock(), figures, await self._health()

    async def metrics(self, tenant: str | None = None) -> WarmupMetrics:
        """Of a look that is not too old. Raises what keeps mailboxes from being looked at."""
        snapshot = await self._progress.snapshot()
        known = self._known
        if known is None or self._clock() - known[0] > self._settings.mailboxes_age:
            await self.refresh()
            known = self._known
        assert known is not None
        return warmup_metrics(snapshot, known[1], known[2], tenant)

    async def scraped(self, figures: Figures) -> WarmupMetrics:
        """With figures of now. Never raises for a part that is away."""
        return warmup_metrics(self._progress.recent(), figures, await self._health())

    def limits(self) -> list[Limit]:
        """Of the last look; none where it is too old."""
        recent = self._progress.recent()
        return [] if recent is None else recent.limits

    async def _health(self) -> list[HealthView] | None:
        try:
            return await health(self._pool)
        except UNREACHABLE:
            return None
