"""Haraka for comparison: every recipient accepted, each message forwarded before it is answered.

It is installed by npm on request only, one pinned version into a cache folder. DNS lookups of the
client are off, for Sendgate does none; its log is at WARN.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

VERSION = "3.3.4"
_PACKAGE = f"Haraka@{VERSION}"
_PLUGIN = """\
exports.hook_lookup_rdns = function (next) { next(OK, 'localhost') }
exports.hook_rcpt = function (next) { next(OK) }
"""


class NoHarakaError(Exception):
    """It cannot be installed or started; the text says why."""


def cache_folder() -> Path:
    """Where peers are installed without --cache: XDG's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sendgate-bench"


def program(cache: Path) -> Path:
    """Haraka's package in `cache`, there or not."""
    return cache / f"haraka-{VERSION}" / "node_modules" / "Haraka"


def unable(cache: Path) -> str:
    """Why Haraka cannot be run; empty: it can."""
    if shutil.which("node") is None:
        return "node missing; on Debian: apt-get install nodejs npm"
    if not (program(cache) / "bin" / "haraka").is_file():
        return "not installed in the cache folder; --install does it by npm"
    return ""


def install(cache: Path) -> None:
    """By npm into `cache`. Raises NoHarakaError."""
    if shutil.which("npm") is None:
        raise NoHarakaError("npm missing; on Debian: apt-get install nodejs npm")
    folder = program(cache).parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-fund", "--no-audit", "--omit=optional", "--prefix"]
    done = subprocess.run(
        [*command, str(folder), _PACKAGE], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise NoHarakaError(f"npm install {_PACKAGE}: {done.stderr.strip()[-500:]}")


@contextlib.contextmanager
def haraka(cache: Path, port: int, next_port: int, workers: int) -> Iterator[None]:
    """Runs until left, with as many worker processes as Sendgate has. Raises NoHarakaError."""
    with tempfile.TemporaryDirectory(prefix="haraka-bench-") as name:
        folder = Path(name)
        _configure(folder, program(cache), port, next_port, workers)
        log = folder / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                ["node", str(program(cache) / "bin" / "haraka"), "-c", name],
                stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            if not _answers(process, port):
                raise NoHarakaError(f"does not answer: {log.read_text(errors='replace')[-500:]}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configure(folder: Path, package: Path, port: int, next_port: int, workers: int) -> None:
    config = folder / "config"
    config.mkdir()
    (folder / "plugins").mkdir()
    (folder / "plugins" / "accept_all.js").write_text(_PLUGIN, encoding="ascii")
    # Its code reads sections of this file that it does not default.
    shutil.copy(package / "config" / "connection.ini", config)
    # 0 is one process that serves; N is a master with N of them.
    nodes = workers if workers > 1 else 0
    files = {
        "smtp.ini": f"listen=127.0.0.1:{port}\nnodes={nodes}\ndaemonize=false\n",
        "smtp_forward.ini": f"host=127.0.0.1\nport={next_port}\nenable_tls=false\n",
        "plugins": "accept_all\nqueue/smtp_forward\n",
        "me": "haraka.bench.example\n",
        "loglevel": "WARN\n",
    }
    for name, text in files.items():
        (config / name).write_text(text, encoding="ascii")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as s:
            s.settimeout(5)
            if s.recv(3) == b"220":
                return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
    return False
