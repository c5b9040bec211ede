"""What the agent's processes have in common: a name, a lock each, and their ends."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from settings.agent import Agent

_AGAIN = 5.0
"""Seconds until a child that ended is started again."""
_PATIENCE = 20.0
"""Seconds in which a child ends by itself: systemd waits for 60."""
_PR_SET_PDEATHSIG = 1
"""prctl(2)."""

# Loaded here: between fork and exec nothing is to be opened.
_libc = ctypes.CDLL(None)


def name_of(settings: Agent) -> str:
    """The agent's, in Sendgate's status."""
    return (settings.name or socket.gethostname())[:64]


def die_with(parent: int, by: signal.Signals) -> bool:
    """Get this signal when that process ends, by whatever; whether it is there still."""
    _libc.prctl(_PR_SET_PDEATHSIG, by)
    return os.getppid() == parent


def end_with(parent: int, ended: threading.Event) -> None:
    """Be ended when that process ends."""
    if not die_with(parent, signal.SIGTERM):
        ended.set()


def hold(lock: Path, otherwise: str) -> None:
    """Hold the lock for as long as this process runs. Raises OSError, BlockingIOError that says
    `otherwise` where another process holds it."""
    opened = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(opened)
        raise BlockingIOError(error.errno, otherwise) from error


class Child:
    """A process of the agent's: this module, which knows `--config` and `--parent`."""

    def __init__(self, module: str, config: Path) -> None:
        self._arguments = [sys.executable, "-m", module, "--config", str(config)]
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -_AGAIN

    def attend(self) -> None:
        """Start it, where none is running."""
        now = time.monotonic()
        running = self._process is not None and self._process.poll() is None
        if running or now - self._started < _AGAIN:
            return
        self._started = now
        self._process = subprocess.Popen(
            [*self._arguments, "--parent", str(os.getpid())], stdin=subprocess.DEVNULL
        )

    def end(self) -> None:
        """And wait for it, but not for ever: whatever it was at, its next start goes on there."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
