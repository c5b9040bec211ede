"""An agent that keeps PowerMTA's configuration, and what may happen to it at any step: it is
killed, or the disk takes nothing more.

On real files, and a life that is killed is a process of its own (a fork). The double of PowerMTA's
command runs inside, for a start of Python costs more than all it does."""

import contextlib
import errno
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

import msgspec

from control.agent.applying import following
from control.agent.applying.command import Pmta as Command
from control.agent.applying.following import Follower
from control.pmta.fileset import MAIN
from control.pmta.offer import Applied, Offer
from loadtest.pmta import double
from loadtest.pmta.grammar import whole
from settings.agent import Agent
from tests.support.pmta.double import Pmta

_EVENTS = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chown"}
_PLACE = re.compile(r"/versions/\d+-\d+/")


class Mishap(NamedTuple):
    """At the so-manieth step (from 1 on) of a life. `kill`. `broken`: what it does there fails.
    `full`, `dead`: from there on nothing new can be written, nothing at all can be done to files
    and PowerMTA."""

    kind: Literal["kill", "broken", "full", "dead"]
    at: int


class _Steps:
    """Counts what this process does to files and to PowerMTA, and lets it go wrong."""

    def __init__(self, folders: tuple[str, ...], mishap: Mishap | None) -> None:
        self._folders = folders
        self._mishap = mishap
        self.count = 0
        self.inside = False
        """The double works."""

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _EVENTS and not self.inside and str(args[0]).startswith(self._folders):
            writes = event in ("os.mkdir", "os.link") or (
                event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR)
            )
            self.step(writes=bool(writes))

    def step(self, *, writes: bool = False) -> None:
        self.count += 1
        mishap = self._mishap
        if mishap is None or self.count < mishap.at:
            return
        if mishap.kind == "full":
            if writes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif mishap.kind == "dead" or self.count == mishap.at:
            if mishap.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class Life(msgspec.Struct):
    """What became of one life; `said` is null where it was killed."""

    steps: int = 0
    said: Applied | None = None


class Host:
    """PowerMTA's host, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sendgate"
        self.folder.mkdir(parents=True)
        self.pmta = Pmta(folder / "pmta")
        self.pmta.put("config", f"log-file /x\ninclude {self.folder}/*.conf\n")
        state = folder / "state"
        state.mkdir()
        self.settings = Agent(
            server="pmta1",
            state=str(state),
            configuration=str(self.folder),
            group="",
            pmta="pmta",
            status_every=0.0,
            verify_wait=0.0,
            again_first=0.0,
            again_most=0.0,
        )
        self._lives = 0
        self._watched = (str(self.folder), str(state))

    def live(self, *offers: Offer, mishap: Mishap | None = None) -> Life:
        """The agent starts, takes these offers, looks once more, and is ended."""
        self._lives += 1
        if mishap is None or mishap.kind != "kill":
            return self._live(offers, mishap)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.close(reading)
                os.write(writing, msgspec.json.encode(self._live(offers, mishap)))
                os._exit(0)
            finally:
                # Whatever it raised is not pytest's.
                sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, -signal.SIGKILL), "an error that it does not expect: see stderr"
        return msgspec.json.decode(told, type=Life) if code == 0 else Life()

    def loaded(self) -> str:
        """What PowerMTA would load if it were started now; wherever the version lies."""
        return place_free(whole(self.pmta.folder / "config"))

    def running(self) -> str:
        return place_free(self.pmta.running)

    def wanted(self, offer: Offer | None) -> str:
        """What PowerMTA loads when that version is in force."""
        if offer is None:
            return "log-file /x"
        texts = {
            name: text.replace("{folder}", f"{self.folder}/versions/0-0").replace(
                "{keys}", f"{self.folder}/versions/0-0/keys"
            )
            for name, text in offer.files.items()
        }
        found = "log-file /x\n" + "\n".join(
            "\n".join(
                line.split("#", 1)[0].strip()
                for line in texts[line.rpartition("/")[2]].splitlines()
            )
            if line.startswith("include")
            else line.split("#", 1)[0].strip()
            for line in texts[MAIN].splitlines()
        )
        return place_free(found)

    def _live(self, offers: tuple[Offer, ...], mishap: Mishap | None) -> Life:
        with _watched(_Steps(self._watched, mishap)) as steps:
            folder = self.pmta.folder

            class InProcess(Command):
                def _ran(self, words: list[str], wait: float, whole: bool) -> tuple[int, str]:
                    return _double(words, folder, steps)

            with mock.patch.object(following, "Pmta", InProcess):
                follower = Follower(self.settings, "host1", threading.Event())
            follower.start()
            follower.tend()
            for offer in offers:
                follower.given(offer, f'"{self._lives}.{offer.version}"')
                follower.tend()
            follower.tend()
            return Life(steps.count, follower.report())


def _double(words: list[str], folder: Path, steps: _Steps) -> tuple[int, str]:
    said = io.StringIO()
    steps.step()
    steps.inside = True
    with contextlib.redirect_stdout(said):
        code = double.main(words, folder)
    steps.inside = False
    steps.step()
    return code, said.getvalue()


_hooked: list[_Steps] = []
"""Whose steps are counted; a hook can be added, and never taken away."""


def _hook(event: str, args: tuple[Any, ...]) -> None:
    _hooked[-1].hook(event, args)


@contextlib.contextmanager
def _watched(steps: _Steps) -> Iterator[_Steps]:
    if not _hooked:
        _hooked.append(_Steps((), None))
        sys.addaudithook(_hook)
    _hooked.append(steps)
    try:
        yield steps
    finally:
        _hooked.pop()


def place_free(text: str) -> str:
    """Wherever the version lies, and without the blank lines that comments leave."""
    return "\n".join(line for line in _PLACE.sub("/versions/N/", text).split("\n") if line)
