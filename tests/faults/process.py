"""A process to hurt: a child that says `ready`."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes import family, send


class Served:
    """One Python process of ours, restarted on the same ports and the same files."""

    def __init__(
        self, *command: str, folder: Path, name: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """`command` follows the interpreter; output goes to `NAME.out` and `NAME.log`."""
        self.log = folder / f"{name}.log"
        self.name = name
        self._command = command
        self._out = folder / f"{name}.out"
        self._environment = {**clean_environment(), **(environment or {})}
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    async def start(self, patience: float = 30.0) -> dict[str, str]:
        """Start it; what its ready line says, name to value."""
        self._popen = self._spawn()
        deadline = time.monotonic() + patience
        while True:
            for line in self._out.read_text().split("\n")[:-1]:
                if line.startswith("ready "):
                    return dict(word.split("=", 1) for word in line.split()[1:])
            if not self.alive or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} did not get ready:\n{self.tail()}")
            await asyncio.sleep(0.02)

    def _spawn(self) -> subprocess.Popen[bytes]:
        # Not asyncio's: its children belong to a loop, and uvloop's to a watcher of its own.
        with self._out.open("wb") as out, self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9 of the process alone: what it started has to notice."""
        send([self.pid], signal.SIGKILL)
        assert self._popen is not None
        self._popen.wait()

    def freeze(self) -> None:
        """SIGSTOP; `thaw`, or `stop`, lets it go on."""
        send([self.pid], signal.SIGSTOP)

    def thaw(self) -> None:
        send([self.pid], signal.SIGCONT)

    async def stop(self, patience: float = 30.0) -> None:
        """SIGTERM, then SIGKILL to everything that is left; stopped processes go on first."""
        if self._popen is None:
            return
        members = family(self.pid)
        send(members, signal.SIGCONT)
        if self.alive:
            self._popen.terminate()
        deadline = time.monotonic() + patience
        while any(_runs(pid) for pid in members) and time.monotonic() < deadline:
            self._popen.poll()
            await asyncio.sleep(0.02)
        send([pid for pid in members if _runs(pid)], signal.SIGKILL)
        self._popen.wait()
        self._popen = None

    def tail(self, lines: int = 8) -> str:
        """The end of its log, without what went well."""
        said = self.log.read_text(errors="replace").splitlines()
        bad = [line[:300] for line in said if '"level":"info"' not in line]
        return "\n".join([*bad[-lines:], *(line[:300] for line in said[-3:])])


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def clean_environment() -> dict[str, str]:
    """Ours without the settings of whoever runs the tests, and without coverage: what is killed
    reports none, and measuring slows what is to be hurt at full speed."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SENDGATE_", "COVERAGE_"))
        and name not in ("REDIS_URL", "DATABASE_URL")
    }
