"""Once a minute PowerMTA is asked how it is, and control is told.

The commands run beside the shipping, which looks after them now and then: one that hangs costs
nothing but itself. None of them changes anything.
"""

import http.client
import json
import logging
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec

from control.accounting.shipment import STATUS
from control.agent.memory import seconds
from control.agent.post import Poster, PostError
from control.pmta.told import Report, Told, of_licence, of_status, of_version
from control.version import VERSION
from settings.agent import Agent

log = logging.getLogger(__name__)

_PATIENCE = 15.0
"""Seconds for one command."""
_MOST = 4_194_304
"""Octets of an answer that are read."""
_MONITOR = 5.0
"""Seconds for the web monitor, which is on this host."""

_COMMANDS: tuple[tuple[str, Callable[[Any], dict[str, Any]]], ...] = (
    ("version", of_version),
    ("license", of_licence),
    ("status", of_status),
)


class Asking:
    """Of one PowerMTA. `attend` it every few seconds."""

    def __init__(self, settings: Agent, name: str, poster: Poster) -> None:
        self._settings = settings
        self._name = name
        self._poster = poster
        self._due = 0.0
        self._waiting: list[tuple[str, Callable[[Any], dict[str, Any]]]] = []
        self._fields: dict[str, Any] = {}
        self._problems: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._until = 0.0
        self._busy = False
        self._said = ""

    def attend(self) -> None:
        """Begin, go on or report, whatever is due; never waits for a command."""
        if not self._busy:
            if seconds() < self._due:
                return
            self._due = seconds() + self._settings.status_every
            self._busy = True
            self._fields, self._problems = {}, []
            self._waiting = list(_COMMANDS) if self._settings.pmta else []
        if self._process is not None and not self._ended(self._process):
            return
        while self._waiting and self._process is None:
            self._begin(self._waiting[0][0])
        if self._process is None:
            self._busy = False
            self._report()

    def close(self) -> None:
        """End the command that runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _begin(self, what: str) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has been read
        try:
            self._process = subprocess.Popen(
                [self._settings.pmta, "--json", "show", what],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            self._output.close()
            self._problems.append(f"{self._settings.pmta}: {error.strerror}")
            self._waiting.clear()
        self._until = seconds() + _PATIENCE

    def _ended(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it has, and its answer was read."""
        code = process.poll()
        if code is None and seconds() < self._until:
            return False
        what, reading = self._waiting.pop(0)
        assert self._output is not None
        if code is None:
            process.kill()
            process.wait()
            self._problems.append(f"`pmta show {what}` does not end")
        else:
            self._output.seek(0)
            self._take(what, reading, code, self._output.read(_MOST))
        self._output.close()
        self._process = None
        return True

    def _take(
        self, what: str, reading: Callable[[Any], dict[str, Any]], code: int, text: bytes
    ) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if code or not isinstance(answer, dict) or answer.get("status") == "error":
            first = (text.decode("utf-8", "replace").strip() or "nothing").splitlines()[0][:200]
            self._problems.append(f"`pmta --json show {what}` says {first!r} (exit code {code})")
            return
        self._fields |= {key: value for key, value in reading(answer).items() if value is not None}

    def _report(self) -> None:
        if self._settings.monitor_url:
            try:
                self._fields |= self._monitor()
            except (OSError, ValueError, http.client.HTTPException) as error:
                self._problems.append(f"its web monitor does not answer ({error})")
        told = Told(**self._fields, problems=tuple(self._problems))
        report = Report(
            agent=self._name, agent_version=VERSION, server=self._settings.server, told=told
        )
        try:
            self._poster.post(STATUS, msgspec.json.encode(report), "application/json")
            said = ""
        except PostError as error:
            said = str(error)
        if said and said != self._said:
            log.warning("status: %s", said)
        self._said = said

    def _monitor(self) -> dict[str, Any]:
        """Raises OSError, HTTPException and ValueError."""
        settings = self._settings
        parts = urlsplit(settings.monitor_url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        headers = {}
        if settings.monitor_key_file:
            headers["X-API-Key"] = Path(settings.monitor_key_file).read_text("ascii").strip()
        connection = kind(parts.hostname or "", parts.port, timeout=_MONITOR)
        try:
            connection.request("GET", "/status?format=json", headers=headers)
            response = connection.getresponse()
            text = response.read(_MOST)
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"{response.status} {response.reason}")
        return {
            key: value for key, value in of_status(json.loads(text)).items() if value is not None
        }
