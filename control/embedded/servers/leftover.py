"""A server an earlier supervisor left behind: found, proved to be ours, and ended cleanly.

A pid from a file is only believed if the process of that number runs one of our programs with
our directory in its command line: after a reboot the number belongs to anybody. The command line
is read rather than /proc/PID/cwd, which root in a container may not read of another user.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from control.embedded.servers.error import LocalPartError
from control.embedded.servers.lock import open_locked, recorded

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """What a left-over server of one data directory looks like."""

    lock: Path
    pid_files: tuple[Path, ...]
    programs: Collection[str]
    marker: Path
    ask: signal.Signals

    async def end(self, timeout: float) -> int:
        """Wait or fight until nobody lives here; a locked descriptor for the next server."""
        asked: set[int] = set()
        deadline = time.monotonic() + timeout
        while True:
            alive = [pid for pid in self._recorded() if self._is_server(pid)]
            if not alive and (descriptor := open_locked(self.lock)) is not None:
                return descriptor
            overdue = time.monotonic() - deadline
            if overdue > 5.0:
                named = f"pid {alive[0]}" if alive else "pid unknown"
                raise LocalPartError(
                    f"a server ({named}) of an earlier stack still runs on {self.lock.parent} "
                    "and does not end; end it by hand"
                )
            for pid in alive:
                if pid not in asked:
                    log.warning("ending a server left over by an earlier stack: pid %d", pid)
                if pid not in asked or overdue > 0:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL if overdue > 0 else self.ask)
                asked.add(pid)
            await asyncio.sleep(0.02)

    def _recorded(self) -> set[int]:
        return {pid for file in (self.lock, *self.pid_files) if (pid := recorded(file))}

    def _is_server(self, pid: int) -> bool:
        program, *arguments = _command_line(pid)
        return Path(program).name in self.programs and str(self.marker) in arguments


def _command_line(pid: int) -> list[str]:
    """The arguments of a process; one empty string if it is gone or a zombie."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return [""]
    return raw.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
