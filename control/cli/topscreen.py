"""A terminal that is taken for a while, and given back as it was.

Rule: whatever ends the command (a key, Ctrl-C, SIGTERM, SIGHUP, an error), the screen of before is
back, its cursor is seen, and what is typed is shown again. Keys are read between two pictures, by
the same thread: nothing is left that still waits for one. Ctrl-Z gives the terminal back for as
long as it lasts. Only SIGKILL leaves it taken: `reset` helps then.
"""

import codecs
import os
import select
import signal
import socket
import sys
import termios
import tty
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from control.cli.topkeys import named

ENDS = (signal.SIGTERM, signal.SIGHUP)
WAKES = (signal.SIGWINCH, signal.SIGCONT)
READ = 1024


def usable() -> bool:
    """Whether there is a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


class Screen:
    """Within `with`, the alternate screen of standard output, and keys of standard input where that
    is a terminal, too."""

    def __init__(self) -> None:
        self._console = Console()
        self._live: Live | None = None
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else -1
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rests = False
        """Ctrl-Z was pressed."""
        self._wake, self._woken = socket.socketpair()
        self._wakeup = -1

    def __enter__(self) -> Self:
        for one in (self._wake, self._woken):
            one.setblocking(False)
        # A signal ends the wait for a key: Python itself would go on with it (PEP 475).
        self._wakeup = signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for number in ENDS:
            self._handlers[number] = signal.signal(number, _end)
        for number in WAKES:
            self._handlers[number] = signal.signal(number, _nothing)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._rest)
        try:
            self._take()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second signal must not come between.
        for ending in ENDS:
            signal.signal(ending, signal.SIG_IGN)
        self._give()
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._wake.close()
        self._woken.close()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows, now."""
        return self._console.size.width, self._console.size.height

    def show(self, lines: Sequence[Text]) -> None:
        """Instead of what is shown."""
        assert self._live is not None
        self._live.update(Group(*lines), refresh=True)

    def wait(self, seconds: float) -> list[str]:
        """The next keys, as `topkeys` names them; none: the time is over, or the size changed."""
        watched = [self._wake, *([self._keys] if self._keys >= 0 else [])]
        ready, _, _ = select.select(watched, [], [], max(seconds, 0))
        if self._wake in ready:
            self._wake.recv(READ)
        if self._rests:
            self._rests = False
            self._give()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._take()
        if self._keys not in ready:
            return []
        octets = os.read(self._keys, READ)
        if not octets:
            # It was hung up: there will be no key any more.
            self._keys = -1
        return named(self._decoder.decode(octets))

    def _take(self) -> None:
        if self._keys >= 0:
            self._before = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys)
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _give(self) -> None:
        live, self._live = self._live, None
        try:
            if live is not None:
                live.stop()
        finally:
            if self._before and self._keys >= 0:
                # What was typed for us is not for the shell.
                termios.tcsetattr(self._keys, termios.TCSAFLUSH, self._before)
                self._before = []

    def _rest(self, _: int, __: FrameType | None) -> None:
        self._rests = True


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _nothing(_: int, __: FrameType | None) -> None:
    """It only ends the wait."""
