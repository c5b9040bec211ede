"""`python -m control.agent`: the process behind `sendgate pmta agent`, which imports little: it
shares a machine with PowerMTA.

With `--pipe` it reads what PowerMTA writes, and a child of it ships: a post may take longer than
PowerMTA waits. One process ships at a time, whoever started it: it holds the lock in `state`.
"""

import argparse
import ctypes
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from control.agent.asking import Asking
from control.agent.configuration import ConfigurationError, read
from control.agent.pipe import Pipe
from control.agent.post import Poster
from control.agent.shipping import Shipper
from control.version import VERSION
from settings.agent import Agent

DEFAULT = Path("/etc/sendgate/agent.toml")
_AGAIN = 5.0
"""Seconds until a child that ended is started again."""
_PR_SET_PDEATHSIG = 1
"""prctl(2)."""
_DRAIN = 5.0
"""Seconds for which the child ships on behind the pipe's end."""


def main(arguments: list[str]) -> int:
    """The exit code: 0 ended by a signal, 1 files or the lock cannot be had, 2 a configuration that
    cannot be used."""
    parser = argparse.ArgumentParser(prog="sendgate pmta agent")
    parser.add_argument("--config", type=Path, default=DEFAULT)
    parser.add_argument("--pipe", action="store_true")
    parser.add_argument("--parent", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = read(given.config)
        Path(settings.state).mkdir(mode=0o700, parents=True, exist_ok=True)
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        if given.parent:
            _end_with(given.parent, ended)
        if given.pipe:
            _pipe(settings, given.config, ended)
        else:
            _ship(settings, ended)
    except ConfigurationError as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 1
    return 0


def _end_with(parent: int, ended: threading.Event) -> None:
    """Be ended when that process ends, by whatever."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        ended.set()


def _ship(settings: Agent, ended: threading.Event) -> None:
    """Raises OSError, BlockingIOError where another process ships."""
    lock = os.open(Path(settings.state) / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, f"another agent ships from {settings.state}") from error
    name = (settings.name or socket.gethostname())[:64]
    poster = Poster(settings)
    asking = Asking(settings, name, poster)
    shipper = Shipper(settings, name, poster, ended, asking.attend)
    logging.info("agent %s (%s): %s to %s", name, VERSION, settings.path, settings.url)
    try:
        shipper.run()
    finally:
        asking.close()


def _pipe(settings: Agent, config: Path, ended: threading.Event) -> None:
    """Raises OSError."""
    pipe = Pipe(
        Path(settings.path),
        largest=settings.pipe_largest,
        kept=settings.pipe_kept,
        ended=ended,
    )
    child = _Child(config)
    try:
        pipe.run(sys.stdin.fileno(), child.attend)
    finally:
        ended.wait(_DRAIN)
        child.end()


class _Child:
    """The process that ships."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -_AGAIN

    def attend(self) -> None:
        """Start it, where none is running."""
        now = time.monotonic()
        running = self._process is not None and self._process.poll() is None
        if running or now - self._started < _AGAIN:
            return
        self._started = now
        arguments = [sys.executable, "-m", "control.agent", "--config", str(self._config)]
        arguments += ["--parent", str(os.getpid())]
        self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)

    def end(self) -> None:
        """And wait for it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
