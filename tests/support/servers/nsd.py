"""A real name server (nsd) on loopback, authoritative for zones of tests; it refuses others."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from control.embedded.servers.ports import choose

NSD = shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin")
needs_nsd = pytest.mark.skipif(NSD is None, reason="nsd is not installed")

_WAIT = 20.0
_CONF = """\
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    database: ""
    zonesdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    pidfile: "{folder}/nsd.pid"
    logfile: "{folder}/nsd.log"
    server-count: 1
    reuseport: no
remote-control:
    control-enable: no
"""


def whole(origin: str, lines: str, serial: int = 1) -> str:
    """A zone file: SOA and NS before `lines`, whose names without a dot are below `origin`."""
    return (
        f"$ORIGIN {origin}.\n$TTL 60\n@ IN SOA ns.nowhere.invalid. h.nowhere.invalid. "
        f"{serial} 60 60 3600 1\n@ IN NS ns.nowhere.invalid.\n{lines}\n"
    )


class Nsd:
    """`zones`: name to the text of its file; one that is empty is SERVFAIL."""

    def __init__(self, folder: Path, zones: Mapping[str, str]) -> None:
        assert NSD is not None
        self._folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        conf = _CONF.format(port=self.port, folder=folder)
        for number, (name, text) in enumerate(zones.items()):
            if text:
                (folder / f"{number}.zone").write_text(text, encoding="utf-8")
            conf += f'zone:\n    name: "{name}"\n    zonefile: "{number}.zone"\n'
        self._files = {name: folder / f"{number}.zone" for number, name in enumerate(zones)}
        (folder / "nsd.conf").write_text(conf, encoding="utf-8")
        command = [NSD, "-d", "-c", str(folder / "nsd.conf")]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def log(self) -> str:
        """What it said."""
        return (self._folder / "nsd.log").read_text(encoding="utf-8", errors="replace")

    def ready(self) -> None:
        """It answers. Raises AssertionError."""
        end = time.monotonic() + _WAIT
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            query = dns.message.make_query("version.server.", "TXT", "CH")
            dns.query.udp(query, "127.0.0.1", port=self.port, timeout=0.2)
        except (dns.exception.Timeout, OSError):
            return False
        return True

    def put(self, zone: str, text: str) -> None:
        """Another text for a zone that it has; answered with when this returns. The text says so
        in a TXT record of its own."""
        mark = f"m{time.monotonic_ns()}"
        self._files[zone].write_text(f'{text}\n_mark.{zone}. IN TXT "{mark}"\n', encoding="utf-8")
        os.kill(self._process.pid, signal.SIGHUP)
        end = time.monotonic() + _WAIT
        while mark not in self._text(f"_mark.{zone}."):
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    def _text(self, name: str) -> str:
        try:
            query = dns.message.make_query(name, "TXT")
            answer = dns.query.udp(query, "127.0.0.1", port=self.port, timeout=1.0)
        except (dns.exception.Timeout, OSError):
            return ""
        return "".join(rrset.to_text() for rrset in answer.answer)

    def end(self) -> None:
        """It is gone when this returns."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_WAIT)


def free_port() -> int:
    """Free for datagrams, too."""
    while True:
        port = choose()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def nsd(folder: Path, zones: Mapping[str, str]) -> Iterator[Nsd]:
    """Answering."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Nsd(folder, zones)
    try:
        server.ready()
        yield server
    finally:
        server.end()
