"""The gateway's small admin port: /healthz, /readyz, /metrics, for machines on a private network.

Values of all workers add up (prometheus-client's multiprocess files in the run directory).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gateway.watch.log import Log
from settings.model import Settings


class Overseen(Protocol):
    """What the admin port shows."""

    settings: Settings
    run_dir: Path
    log: Log

    @property
    def ready(self) -> bool: ...

    @property
    def addresses(self) -> list[str]: ...


class Admin:
    """Serves one gateway."""

    def __init__(self, gateway: Overseen) -> None:
        self._gateway = gateway

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Yields host:port. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=4096)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        settings = self._gateway.settings.gateway
        try:
            site = web.TCPSite(runner, settings.admin_host, settings.admin_port)
            try:
                await site.start()
            except OSError as error:
                where = f"{settings.admin_host}:{settings.admin_port}"
                raise OSError(f"cannot listen on {where}: {error.strerror}") from error
            host, port = runner.addresses[0][:2]
            yield f"{host}:{port}"
        finally:
            await runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        del request
        if self._gateway.ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text="waiting for a generation, the ledger or a worker\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        del request
        body = await asyncio.to_thread(_collect, str(self._gateway.run_dir))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    @staticmethod
    def forget(pid: int, run_dir: Path) -> None:
        """Live gauges of a worker that ended no longer count; its counters do."""
        mark_process_dead(pid, str(run_dir))  # type: ignore[no-untyped-call]


def _collect(directory: str) -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
