"""A real server of DNS blocklists (rbldnsd) on loopback; it refuses zones that it has not."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from tests.support.servers.nsd import free_port

RBLDNSD = shutil.which("rbldnsd") or shutil.which("rbldnsd", path="/usr/sbin")
needs_rbldnsd = pytest.mark.skipif(RBLDNSD is None, reason="rbldnsd is not installed")

_WAIT = 20.0


class Rbldnsd:
    """`zones`: name to (type of data set, its text)."""

    def __init__(self, folder: Path, zones: Mapping[str, tuple[str, str]], port: int = 0) -> None:
        assert RBLDNSD is not None
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._files = {name: folder / f"{number}.set" for number, name in enumerate(zones)}
        for name, (_, text) in zones.items():
            self._files[name].write_text(text, encoding="utf-8")
        specs = [f"{name}:{kind}:{self._files[name].name}" for name, (kind, _) in zones.items()]
        # It does not run as root.
        user = ["-u", "nobody:nogroup"] if os.getuid() == 0 else []
        command = [RBLDNSD, "-n", "-b", f"127.0.0.1/{self.port}", "-w", str(folder), *user, *specs]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def ready(self) -> None:
        """It answers. Raises AssertionError."""
        end = time.monotonic() + _WAIT
        while not self._asked("2.0.0.127.nowhere.invalid."):
            assert self._process.poll() is None, self._process.args
            assert time.monotonic() < end
            time.sleep(0.02)

    def put(self, zone: str, text: str, name: str, codes: set[str]) -> None:
        """Another text for a zone that it has; it answers `name` with `codes` when this returns."""
        self._files[zone].write_text(text, encoding="utf-8")
        # What is no newer than it was read, by the second, is not read again.
        later = time.time() + 10
        os.utime(self._files[zone], (later, later))
        self._process.send_signal(signal.SIGHUP)
        end = time.monotonic() + _WAIT
        while self._codes(f"{name}.{zone}.") != codes:
            assert time.monotonic() < end
            time.sleep(0.02)

    def _codes(self, name: str) -> set[str]:
        answer = self._asked(name)
        return set() if answer is None else {str(item) for rr in answer.answer for item in rr}

    def _asked(self, name: str) -> dns.message.Message | None:
        try:
            query = dns.message.make_query(name, "A")
            return dns.query.udp(query, "127.0.0.1", port=self.port, timeout=0.5)
        except (dns.exception.Timeout, OSError):
            return None

    def end(self) -> None:
        """It is gone when this returns."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_WAIT)


@contextmanager
def rbldnsd(zones: Mapping[str, tuple[str, str]], port: int = 0) -> Iterator[Rbldnsd]:
    """Answering."""
    # Where `nobody` may read: pytest's folders are their owner's alone.
    folder = Path(tempfile.mkdtemp(prefix="rbldnsd-"))
    folder.chmod(0o755)
    server = Rbldnsd(folder, zones, port)
    try:
        server.ready()
        yield server
    finally:
        server.end()
        shutil.rmtree(folder)
