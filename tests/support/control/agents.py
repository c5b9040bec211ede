"""The agent as a process of its own, as systemd runs it, and files for it to ship."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.control.core import TOKEN


class Agent:
    """`python -m control.agent`, with a configuration of its own."""

    def __init__(self, folder: Path, url: str, path: Path, **settings: object) -> None:
        self.folder = folder
        self.state = folder / "state"
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        token = folder / "token"
        token.write_text(TOKEN + "\n")
        named = {
            "url": url,
            "token_file": str(token),
            "server": "pmta1",
            "name": "host1",
            "path": str(path),
            "state": str(self.state),
            "poll": 0.02,
            "idle": 0.2,
            "retry_first": 0.05,
            "retry_most": 1.0,
            "timeout": 5.0,
            "pmta": "",
            **settings,
        }
        self.config = folder / "agent.toml"
        self.write(named)
        self.settings = named
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, named: Mapping[str, object]) -> None:
        lines = [
            f"{key} = {str(value).lower()}"
            if isinstance(value, int | float)
            else f'{key} = "{value}"'
            for key, value in named.items()
        ]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self, *arguments: str, stdin: Any = None, module: str = "control.agent") -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "--config", self.config, *arguments],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stderr=log,
            )

    def disk(self, octets: int) -> None:
        """Let it write so many octets to one file at most, as a full disk does; -1: as it likes."""
        assert self.process is not None
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (octets, -1))

    def hang_up(self) -> None:
        """As PowerMTA ends a pipe."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0

    def kill(self) -> None:
        """As the kernel's out-of-memory killer does."""
        assert self.process is not None
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        """As systemd does."""
        assert self.process is not None
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait, 20)

    def close(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    @property
    def peak(self) -> int:
        """Octets of memory that it ever had."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(
            int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")
        )


MakeAgent = Callable[..., Agent]
"""Folder of PowerMTA's files' path, and settings."""
