"""/metrics: one look at what control knows, for Prometheus."""

import asyncio
import time

from control.api.route import Call, Route
from control.health.disks import fullest, memory, written
from control.users.gate import Gate
from control.version import VERSION
from control.watch.called import Called
from control.watch.done import Done
from control.watch.engine import Host, families
from control.watch.look import Look
from control.watch.metrics import exposition
from settings.model import Settings

PATH = "/metrics"
_STARTED = time.time()
"""When this process loaded the API, seconds of real time."""


class MetricsApi:
    """`gate`: what came of people who sign in, and whose requests were too many."""

    def __init__(
        self, look: Look, called: Called, gate: Gate, done: Done, settings: Settings
    ) -> None:
        self._look = look
        self._called = called
        self._ledger = settings.ledger.name
        self._gate = gate
        self._done = done
        self._disks = written(settings)

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
            engine=list(families(figures, await asyncio.to_thread(self._host), self._done)),
        )

    def _host(self) -> Host:
        return Host(fullest(self._disks).used, memory())

    def routes(self) -> list[Route]:
        """The one."""
        what = "What control knows, for Prometheus; from control.metrics_networks without a token"
        return [Route("GET", PATH, what, self._metrics, str)]
