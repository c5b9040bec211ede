"""/metrics: one look at what control knows, for Prometheus."""

import time
from collections.abc import Mapping

from control.api.route import Call, Route
from control.version import VERSION
from control.watch.called import Called
from control.watch.look import Look
from control.watch.metrics import exposition

PATH = "/metrics"
_STARTED = time.time()
"""When this process loaded the API, seconds of real time."""


class MetricsApi:
    """`ledger`: its name, which labels the figures; `logins`: of people, by result."""

    def __init__(self, look: Look, called: Called, ledger: str, logins: Mapping[str, int]) -> None:
        self._look = look
        self._called = called
        self._ledger = ledger
        self._logins = logins

    async def _metrics(self, _: Call) -> str:
        figures = await self._look()
        return exposition(
            figures,
            ledger=self._ledger,
            version=VERSION,
            started=_STARTED,
            logins=self._logins,
            warmup=await self._called.scraped(figures),
            limits=self._called.limits(),
        )

    def routes(self) -> list[Route]:
        """The one."""
        what = "What control knows, for Prometheus; from control.metrics_networks without a token"
        return [Route("GET", PATH, what, self._metrics, str)]
