"""PowerMTA's command: tests and reloads its configuration, says what it runs.

Every wait is bounded. A command that does not end is killed, with what it started. It ends with the
agent, too.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from typing import IO, Any

from control.agent.memory import seconds
from control.agent.process import die_with
from settings.agent import Agent

_MOST = 16_777_216
"""Octets of an answer that are read."""
_LOOK = 0.1
"""Seconds between two looks whether it has ended."""
_SAID = 500
"""Characters of what it says that are passed on."""
_UNKNOWN = re.compile(r"(?i)unknown|unrecogni[sz]ed|not recogni[sz]ed|usage:|invalid command")


_WRONG = re.compile(r"(?i)\berror in line \d+")
"""How a configuration is refused that PowerMTA has read."""


class CommandError(Exception):
    """It refuses, fails or does not end; the text is PowerMTA's or the system's. It may have done
    it all the same."""

    @property
    def names_a_line(self) -> bool:
        """Whether PowerMTA has read the configuration and names what is wrong in it: nobody can
        have loaded it by another command."""
        return bool(_WRONG.search(str(self)))


class EndedError(Exception):
    """The agent is to end; the command was given up."""


class Pmta:
    """Of this host. `ended`: set from outside."""

    def __init__(self, settings: Agent, ended: threading.Event) -> None:
        self._settings = settings
        self._ended = ended

    def test(self) -> None:
        """The configuration as it lies there. Raises CommandError and EndedError."""
        if not self._settings.test:
            return
        try:
            self._run(["test", "config"], self._settings.test_wait)
        except CommandError as error:
            if not _UNKNOWN.search(str(error)):
                raise
            hint = "; a PowerMTA before 5.0 cannot test: then set test = false"
            raise CommandError(f"{error}{hint}") from error

    def reload(self) -> None:
        """Load it. Raises CommandError."""
        self._run(["reload"], self._settings.reload_wait, whole=True)

    def vmtas(self) -> Any:
        """What `show vmtas` says. Raises CommandError and EndedError."""
        return self._shown("vmtas")

    def queues(self) -> Any:
        """What `show queues` says. Raises CommandError and EndedError."""
        return self._shown("queues")

    def _shown(self, what: str) -> Any:
        """Decoded where it is JSON, else the text."""
        text = self._run(["--json", "show", what], self._settings.show_wait)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def _run(self, words: list[str], wait: float, *, whole: bool = False) -> str:
        """What it says; `whole`: not given up when the agent is to end."""
        said = " ".join(["pmta", *(word for word in words if word != "--json")])
        try:
            code, text = self._ran(words, wait, whole)
        except OSError as error:
            raise CommandError(f"{error.filename or said}: {error.strerror}") from error
        if code is None:
            raise CommandError(f"`{said}` did not end within {wait:g} s")
        if code or _is_error(text):
            words_of = " ".join(text.split())[:_SAID] or f"exit code {code}"
            raise CommandError(f"`{said}`: {words_of}")
        return text

    def _ran(self, words: list[str], wait: float, whole: bool) -> tuple[int | None, str]:
        """Exit code (None: it was killed) and what it said. Raises OSError and EndedError."""
        # A file, not a pipe: it says as much as it likes and nobody has to read meanwhile.
        with tempfile.TemporaryFile() as output:
            code = self._awaited(_started([self._settings.pmta, *words], output), wait, whole)
            output.seek(0)
            return code, output.read(_MOST).decode("utf-8", "replace")

    def _awaited(self, process: subprocess.Popen[bytes], wait: float, whole: bool) -> int | None:
        """Its exit code; None: it was killed, for it did not end. Raises EndedError."""
        until = seconds() + wait
        try:
            while seconds() < until:
                try:
                    return process.wait(_LOOK)
                except subprocess.TimeoutExpired:
                    if self._ended.is_set() and not whole:
                        raise EndedError from None
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _started(arguments: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    return subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # Safe: this process has one thread.
        preexec_fn=lambda: _end_with(parent),  # noqa: PLW1509
    )


def _end_with(parent: int) -> None:
    if not die_with(parent, signal.SIGKILL):
        os._exit(1)


def _is_error(text: str) -> bool:
    """Whether an answer that came with exit code 0 is an error all the same."""
    try:
        answer = json.loads(text)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("status") == "error"
