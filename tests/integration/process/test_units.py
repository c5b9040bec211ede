"""The command of each unit, run as systemd runs it: it says READY=1 when it serves and not before,
WATCHDOG=1 while it turns, STOPPING=1 when it ends."""

import asyncio
import configparser
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from control.embedded.servers import ports
from control.embedded.stack.toml import to_toml
from settings.model import Gateway, Hold, Listener, Settings
from tests.conftest import CreateDatabase
from tests.faults.process import clean_environment
from tests.support.control.core import build, settings_for
from tests.support.repository import ROOT

PATIENCE = 60.0
WATCHDOG = 1.5
"""Seconds, in place of the unit's."""


class Manager:
    """What systemd does for a unit of `Type=notify`."""

    def __init__(self, folder: Path, name: str, config: Path, watchdog: float = WATCHDOG) -> None:
        self._watchdog = watchdog
        unit = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",), strict=False)
        unit.optionxform = str  # type: ignore[method-assign,assignment]
        unit.read(ROOT / "deploy" / "systemd" / f"{name}.service")
        self.service = unit["Service"]
        words = shlex.split(self.service["ExecStart"])
        self.words = [str(Path(sys.executable).with_name("sendgate")), *words[1:-1], str(config)]
        self.said: list[tuple[float, str]] = []
        self._path = folder / "notify"
        self._log = folder / f"{name}.log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.process: asyncio.subprocess.Process

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._socket.bind(str(self._path))
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._hear)
        watchdog = {"WATCHDOG_USEC": str(round(self._watchdog * 1e6))}
        with self._log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.words,
                env={**clean_environment(), "NOTIFY_SOCKET": str(self._path), **watchdog},
                stdout=log,
                stderr=log,
            )
        try:
            yield
        finally:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
            loop.remove_reader(self._socket)
            self._socket.close()

    def _hear(self) -> None:
        for line in self._socket.recv(4096).decode().splitlines():
            self.said.append((time.monotonic(), line))

    def count(self, line: str) -> int:
        return sum(said == line for _, said in self.said)

    async def until(self, line: str, times: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.count(line) < times:
            assert self.process.returncode is None, self._log.read_text()
            assert time.monotonic() < deadline, (line, self.said, self._log.read_text())
            await asyncio.sleep(0.02)

    async def stopped(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        self._hear_rest()
        assert (code, self.count("STOPPING=1")) == (0, 1), self.said

    def _hear_rest(self) -> None:
        try:
            while True:
                self._hear()
        except BlockingIOError:
            return

    async def no_silence(self) -> None:
        """Signs come in time, and none while it hangs."""
        assert "WatchdogSec" in self.service
        assert self.service["Type"] == "notify"
        await self.until("WATCHDOG=1", self.count("WATCHDOG=1") + 3)
        signs = [at for at, line in self.said if line == "WATCHDOG=1"]
        assert max(b - a for a, b in pairwise(signs)) < WATCHDOG
        os.kill(self.process.pid, signal.SIGSTOP)
        await asyncio.sleep(0.2)
        before = self.count("WATCHDOG=1")
        await asyncio.sleep(WATCHDOG)
        assert self.count("WATCHDOG=1") == before
        os.kill(self.process.pid, signal.SIGCONT)
        await self.until("WATCHDOG=1", before + 1)


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    made = settings_for(await create_database("control", build), valkey_url)
    return msgspec.structs.replace(
        made, control=msgspec.structs.replace(made.control, port=ports.choose())
    )


def written(folder: Path, settings: Settings) -> Path:
    file = folder / "sendgate.toml"
    file.write_text(to_toml(settings), encoding="utf-8")
    return file


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_control(settings: Settings, tmp_path: Path) -> None:
    manager = Manager(tmp_path, "sendgate-control", written(tmp_path, settings))
    assert not await answers(settings.control.port)
    async with manager.running():
        await manager.until("READY=1")
        assert await answers(settings.control.port)
        await manager.no_silence()
        manager.process.send_signal(signal.SIGHUP)
        await manager.until("READY=1", 2)
        assert manager.count("RELOADING=1") == 1
        await manager.stopped()


def gateway_of(settings: Settings, ledger: str = "") -> Settings:
    gateway = Gateway(
        listeners=(Listener(port=ports.choose()),),
        hostname="gateway.test",
        workers=1,
        admin_port=ports.choose(),
        drain=1.0,
    )
    url = ledger or settings.ledger.url
    return msgspec.structs.replace(
        settings,
        gateway=gateway,
        hold=Hold(enabled=False),
        ledger=msgspec.structs.replace(settings.ledger, url=url),
    )


async def test_gateway(settings: Settings, tmp_path: Path) -> None:
    settings = gateway_of(settings)
    manager = Manager(tmp_path, "sendgate-gateway", written(tmp_path, settings))
    async with manager.running():
        await manager.until("READY=1")
        assert await answers(settings.gateway.listeners[0].port)
        await manager.no_silence()
        manager.process.send_signal(signal.SIGHUP)
        await manager.until("READY=1", 2)
        assert manager.count("RELOADING=1") == 1
        await manager.stopped()


async def test_a_gateway_whose_ledger_is_away_has_started_all_the_same(
    settings: Settings, tmp_path: Path
) -> None:
    """systemd would end it for ever being about to start, and start it again, for ever."""
    settings = gateway_of(settings, ledger="redis://127.0.0.1:1/0")
    manager = Manager(tmp_path, "sendgate-gateway", written(tmp_path, settings))
    async with manager.running():
        await manager.until("READY=1")
        assert any(line.startswith("STATUS=waiting") for _, line in manager.said)
        await manager.stopped()


async def test_agent(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sgt_" + "t" * 40)
    (tmp_path / "token").chmod(0o600)
    config = tmp_path / "agent.toml"
    config.write_text(
        f'url = "http://127.0.0.1:1"\nserver = "pmta1"\ntoken_file = "{tmp_path}/token"\n'
        f'path = "{tmp_path}/acct.csv"\nstate = "{tmp_path}/state"\npoll = 0.1\n'
    )
    # It looks every five seconds while control is away.
    manager = Manager(tmp_path, "sendgate-agent", config, watchdog=12.0)
    async with manager.running():
        await manager.until("READY=1")
        await manager.until("WATCHDOG=1", 2)
        await manager.stopped()
