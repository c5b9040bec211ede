"""Prometheus and Alertmanager of the distribution, with the configuration that is shipped, and a
webhook that takes what Alertmanager documents and nothing else."""

import http.server
import json
import math
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from control.embedded.servers.ports import choose
from tests.support.repository import ROOT

PROMETHEUS, ALERTMANAGER = shutil.which("prometheus"), shutil.which("prometheus-alertmanager")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or ALERTMANAGER is None,
    reason="prometheus or prometheus-alertmanager is not installed",
)

SHIPPED = ROOT / "deploy" / "prometheus"
_WAIT = 30.0


def _configured(folder: Path, name: str, changes: Mapping[str, str]) -> Path:
    """The shipped file with some of its texts replaced, each of which is in it."""
    text = (SHIPPED / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@contextmanager
def _running(command: list[str], log: Path, ready: str) -> Iterator[None]:
    """Until it answers at `ready`; gone afterwards."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        end = time.monotonic() + _WAIT
        while _status(ready) != 200:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_WAIT)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class Prometheus:
    """One that scrapes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _get(self, path: str, **query: str) -> Any:
        with urllib.request.urlopen(
            f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=10
        ) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

    def values(self, expression: str) -> list[float]:
        """What it answers now, without what is no number."""
        found = self._get("/api/v1/query", query=expression)
        assert found["resultType"] == "vector", expression
        numbers = [float(one["value"][1]) for one in found["result"]]
        return [number for number in numbers if not math.isnan(number)]

    def targets(self) -> dict[str, tuple[str, str]]:
        """Job to its target's health and last error."""
        found = self._get("/api/v1/targets")["activeTargets"]
        return {one["labels"]["job"]: (one["health"], one["lastError"]) for one in found}

    def rules(self) -> dict[str, str]:
        """Alert to how it stands: inactive, pending or firing."""
        groups = self._get("/api/v1/rules")["groups"]
        return {rule["name"]: rule["state"] for group in groups for rule in group["rules"]}


@contextmanager
def prometheus(
    folder: Path, *, control: str, gateway: str, token: Path, alertmanager: str
) -> Iterator[Prometheus]:
    """With `deploy/prometheus/prometheus.yml`, other addresses and a shorter interval. Addresses
    are HOST:PORT."""
    assert PROMETHEUS is not None
    shutil.copy(SHIPPED / "rules.yaml", folder)
    changes = {
        "127.0.0.1:8000": control,
        "127.0.0.1:8025": gateway,
        "127.0.0.1:9093": alertmanager,
        "/etc/prometheus/sendgate.token": str(token),
        "scrape_interval: 30s": "scrape_interval: 1s",
        "evaluation_interval: 30s": "evaluation_interval: 1s",
    }
    file = _configured(folder, "prometheus.yml", changes)
    here = f"127.0.0.1:{choose()}"
    command = [
        PROMETHEUS,
        *(f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}"),
        *(f"--web.listen-address={here}", "--log.level=warn"),
    ]
    with _running(command, folder / "prometheus.log", f"http://{here}/-/ready"):
        yield Prometheus(f"http://{here}")


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[str]:
    """With `deploy/prometheus/alertmanager.yml`; its HOST:PORT."""
    assert ALERTMANAGER is not None
    file = _configured(
        folder, "alertmanager.yml", {"http://127.0.0.1:9099/alerts": webhook, "10s": "1s"}
    )
    here = f"127.0.0.1:{choose()}"
    command = [
        ALERTMANAGER,
        *(f"--config.file={file}", f"--storage.path={folder / 'alertmanager'}"),
        *(f"--web.listen-address={here}", "--cluster.listen-address=", "--log.level=warn"),
    ]
    with _running(command, folder / "alertmanager.log", f"http://{here}/-/ready"):
        yield here


class Webhook(http.server.BaseHTTPRequestHandler):
    """Takes version 4 of Alertmanager's messages, whole; 400 and a word to `wrong` for others."""

    taken: ClassVar[list[dict[str, Any]]] = []
    wrong: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """One message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        problem = self._problem(body)
        if problem:
            self.wrong.append(problem)
        else:
            self.taken.append(json.loads(body))
        self.send_response(400 if problem else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _problem(self, body: bytes) -> str:
        if self.path != "/alerts" or self.headers["Content-Type"] != "application/json":
            return f"{self.path} {self.headers['Content-Type']}"
        said = json.loads(body)
        if said.get("version") != "4" or said.get("receiver") != "operators":
            return f"version {said.get('version')}, receiver {said.get('receiver')}"
        wanted = {"status", "labels", "annotations", "startsAt", "endsAt", "fingerprint"}
        if not said.get("alerts") or any(not wanted <= set(one) for one in said["alerts"]):
            return f"alerts without a field: {said.get('alerts')}"
        return ""

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@contextmanager
def webhook() -> Iterator[tuple[str, type[Webhook]]]:
    """Its URL, and what it took."""
    kind = type("Webhook", (Webhook,), {"taken": [], "wrong": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerts", kind
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(what: Callable[[], bool], seconds: float, why: Callable[[], object]) -> None:
    """Look again until it is so. Raises AssertionError."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, why()
        time.sleep(0.2)
