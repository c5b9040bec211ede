"""The gateway as it runs in production: parent and workers as processes of their own."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.plan import Generation
from settings.model import Settings


class GatewayProcess:
    """`async with GatewayProcess(...)`: started, ready, and drained at the end."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """`settings` are written as a TOML file into `folder`."""
        self.settings = settings
        self.config = folder / "sendgate.toml"
        self.log = folder / "gateway.log"
        self.config.write_text(as_toml(msgspec.to_builtins(settings)), encoding="utf-8")
        self.ports: list[int] = []
        self.admin_url = ""
        self._client = connect(settings.ledger.url)
        self.ledger = LedgerAdmin(self._client, settings.ledger.name)
        self.process: asyncio.subprocess.Process

    @property
    def port(self) -> int:
        return self.ports[0]

    async def publish(self, generation: Generation) -> None:
        await self.ledger.open()
        await self.ledger.publish(generation)

    async def __aenter__(self) -> "GatewayProcess":
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "--config", str(self.config),
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            line = (await self.process.stdout.readline()).decode()
        assert line.startswith("ready "), self.log.read_text()
        words = dict(word.split("=", 1) for word in line.split()[1:])
        self.ports = [int(a.rpartition(":")[2]) for a in words["smtp"].split(",")]
        self.admin_url = f"http://{words['admin']}"
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(30):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await self._client.aclose()

    def worker_pids(self) -> list[int]:
        """Live workers, oldest first."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Log lines of one event."""
        found = []
        for raw in self.log.read_bytes().splitlines():
            if raw.startswith(b"{"):
                line = msgspec.json.decode(raw)
                if line["event"] == event:
                    found.append(line)
        return found

    async def until(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for log lines."""
        async with asyncio.timeout(20):
            while len(found := self.lines(event)) < count:
                await asyncio.sleep(0.02)
        return found

    async def get(self, path: str) -> tuple[int, str]:
        """(status, body) of the admin port."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(self.admin_url + path) as response,
        ):
            return response.status, await response.text()

    def signal(self, number: signal.Signals, pid: int | None = None) -> None:
        os.kill(pid or self.process.pid, number)


def as_toml(tree: dict[str, Any]) -> str:
    """Settings as a TOML file: sections of plain values, lists of tables."""
    parts = []
    for section, fields in tree.items():
        tables = {k: v for k, v in fields.items() if _is_tables(v)}
        parts.append(f"[{section}]")
        parts += [
            f"{key} = {_value(value)}"
            for key, value in fields.items()
            if key not in tables and value is not None
        ]
        for key, rows in tables.items():
            for row in rows:
                parts.append(f"[[{section}.{key}]]")
                parts += [f"{name} = {_value(value)}" for name, value in row.items()]
    return "\n".join(parts) + "\n"


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return msgspec.json.encode(value).decode()
