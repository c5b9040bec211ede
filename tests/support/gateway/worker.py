"""A gateway worker in the test's own loop, on a real Valkey, in front of the stand-in."""

import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from gateway.accept.board import Board
from gateway.releaser import ReleaserProcess
from gateway.watch.log import Log
from gateway.worker import Worker
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.plan import Generation
from settings.hold import Hold
from settings.ledger import Ledger
from settings.model import Gateway, Listener, Relay, Settings
from tests.support.session.smtpwire import SmtpWire


class GatewayUnderTest:
    """A serving worker and what a test asks of it."""

    def __init__(self, worker: Worker, admin: LedgerAdmin, ports: list[int], log: int) -> None:
        self.worker = worker
        self.admin = admin
        self.ports = ports
        self.port = ports[0]
        self._log = log

    async def publish(self, generation: Generation) -> None:
        """Put a generation in force and wait until the worker runs it."""
        await self.admin.publish(generation)
        assert await self.admin.wait_for(generation.number) == []

    async def wire(self, *, login: str = "acme", password: str = "secret") -> SmtpWire:
        """A raw client, logged in unless `login` is empty."""
        wire = await SmtpWire.open(self.port)
        if login:
            blob = f"\0{login}\0{password}".encode()
            assert (await wire.ask("AUTH PLAIN " + _base64(blob))).startswith("235")
        return wire

    def log_lines(self, event: str = "") -> list[dict[str, Any]]:
        """What was logged so far, of one event or all."""
        self.worker.log.flush()
        os.lseek(self._log, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._log), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file.read().splitlines()]
        return [line for line in lines if not event or line["event"] == event]

    async def used(self, *ips: str) -> dict[str, int]:
        """Recipients charged today by IP."""
        _, usage = await self.admin.usage(list(ips))
        return {ip: entry.relayed for ip, entry in usage.items()}


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def settings_for(valkey_url: str, **changes: dict[str, Any]) -> Settings:
    """Quick settings without a hold; `gateway={…}`, `relay={…}`, `ledger={…}`, `hold={…}` change
    fields."""
    base = Settings(
        ledger=Ledger(url=valkey_url),
        gateway=Gateway(
            listeners=(Listener(port=0),), hostname="gateway.test", auth_delay=0.0, drain=2.0
        ),
        relay=Relay(hello="gateway.test"),
        hold=Hold(enabled=False),
    )
    sections = {
        name: msgspec.structs.replace(getattr(base, name), **fields)
        for name, fields in changes.items()
    }
    return msgspec.structs.replace(base, **sections)


@contextlib.asynccontextmanager
async def gateway(
    settings: Settings, generation: Generation | None, board: Board | None = None
) -> AsyncIterator[GatewayUnderTest]:
    """Opens the ledger, publishes, serves; drains at the end. With `board` as one of several
    workers."""
    client = connect(settings.ledger.url)
    admin = LedgerAdmin(client, settings.ledger.name)
    await admin.open()
    if generation is not None:
        await admin.publish(generation)
    log = os.memfd_create("log")
    worker = Worker(settings, "worker-test", Log(level="debug", descriptor=log))
    sockets = [_bound(listener.host) for listener in settings.gateway.listeners]
    ports = [bound.getsockname()[1] for bound in sockets]
    try:
        async with worker.serving(sockets, board):
            yield GatewayUnderTest(worker, admin, ports, log)
    finally:
        await client.aclose()
        os.close(log)


def _bound(host: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.bind((host, 0))
    bound.listen()
    bound.setblocking(False)
    return bound


def holding(valkey_url: str, postgres_url: str, **changes: dict[str, Any]) -> Settings:
    """As `settings_for`, with a hold in a database of its own and a quick releaser."""
    hold = {"enabled": True, "poll": 0.05, "sweep": 2.0, **changes.pop("hold", {})}
    return settings_for(valkey_url, database={"url": postgres_url}, hold=hold, **changes)


@contextlib.asynccontextmanager
async def releaser(settings: Settings, name: str = "") -> AsyncIterator[ReleaserProcess]:
    """A releaser in the test's own loop; its log goes nowhere."""
    log = os.memfd_create("log")
    name = name or f"releaser-{os.urandom(3).hex()}"
    releasing = ReleaserProcess(settings, name, Log(level="debug", descriptor=log))
    try:
        async with releasing.serving():
            yield releasing
    finally:
        os.close(log)
