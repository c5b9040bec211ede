"""/metrics: one look at what control knows, for Prometheus."""

import time

from control.api.route import Call, Route
from control.users.gate import Gate
from control.version import VERSION
from control.watch.called import Called
from control.watch.look import Look
from control.watch.metrics import exposition

PATH = "/metrics"
_STARTED = time.time()
"""When this process loaded the API, seconds of real time."""


class MetricsApi:
    """`ledger`: its name, which labels the figures; `gate`: what came of people who sign in, and
    whose requests were too many."""

    def __init__(self, look: Look, called: Called, ledger: str, gate: Gate) -> None:
        self._look = look
        self._called = called
        self._ledger = ledger
        self._gate = gate

    async def _metrics(self, _: Call) -> str:
        figures = await self._look()
        return exposition(
            figures,
            ledger=self._ledger,
            version=VERSION,
            started=_STARTED,
            logins=self._gate.entry.counted,
            refused=self._gate.rates.refused,
            warmup=await self._called.scraped(figures),
            limits=self._called.limits(),
        )

    def routes(self) -> list[Route]:
        """The one."""
        what = "What control knows, for Prometheus; from control.metrics_networks without a token"
        return [Route("GET", PATH, what, self._metrics, str)]
