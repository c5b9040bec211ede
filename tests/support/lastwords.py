"""What a worker said that died: its threads' stacks and what its tasks awaited.

Rule: written into a file of each process and shown below the summary: what a dead worker wrote to
its standard error stands thousands of lines above the failure, or in none of those that were kept.
"""

import asyncio
import faulthandler
import gc
import os
import shutil
import tempfile
import threading
import warnings
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TextIO

import pytest
import uvloop

FOLDER = "SENDGATE_LAST_WORDS"
TEARDOWN = 120.0
"""Seconds in which what a test began has to end. After a failure pytest-timeout watches no more,
and uvloop's end waits for a connection that a failed test left open."""
ANSWER = 5.0
"""Seconds for a loop to tell what its tasks await; one that is stuck tells nothing."""
OTHERS = ("/_pytest/", "/pluggy/", "/execnet/", "/xdist/", "/pytest_asyncio/", '"<string>"')
"""Frames that every test has."""
MOST = 60
"""Lines of one process."""

_file: list[TextIO] = []
"""Of the process, one."""
_loops: "weakref.WeakSet[asyncio.AbstractEventLoop]" = weakref.WeakSet()


_TRANSPORTS = ("TCPTransport", "UnixTransport", "UDPTransport")
"""Of uvloop; it does not say that they are asyncio's."""


class _Loop(uvloop.Loop):
    """Production's, which is closed whatever was left open: uvloop warns of a handle before it
    closes it, `filterwarnings = error` raises at that place, the handle stays open, and the loop
    waits for it without an end."""

    def close(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always", ResourceWarning)
            warnings.showwarning = _left
            super().close()


def _left(message: Warning | str, *_: object, **__: object) -> None:
    print(f"left open by {os.environ.get('PYTEST_CURRENT_TEST')}: {message}", file=_file[0])
    for one in gc.get_objects():
        if type(one).__name__ in _TRANSPORTS and repr(one) in str(message):
            ends = one.get_extra_info("sockname"), one.get_extra_info("peername")
            print(f"  {ends} {one.get_protocol()!r}", file=_file[0], flush=True)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """One whose tasks are told of when a test hangs."""
    loop = _Loop()
    _loops.add(loop)
    return loop


def pytest_configure(config: pytest.Config) -> None:
    if FOLDER not in os.environ or not hasattr(config, "workerinput"):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="sendgate-last-words-")
    name = os.environ.get("PYTEST_XDIST_WORKER", "main")
    _file.append((Path(os.environ[FOLDER]) / f"{name}-{os.getpid()}").open("w", encoding="utf-8"))


def pytest_sessionstart() -> None:
    """After pytest's own, which has it on standard error."""
    faulthandler.enable(_file[0])


def pytest_unconfigure(config: pytest.Config) -> None:
    faulthandler.disable()
    while _file:
        _file.pop().close()
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for path in sorted(Path(os.environ[FOLDER]).iterdir()):
        said = path.read_text(encoding="utf-8", errors="replace")
        if said:
            terminalreporter.section(f"what {path.name} said")
            lines = [line for line in said.splitlines() if not any(one in line for one in OTHERS)]
            terminalreporter.write_line("\n".join(lines[:MOST]))


def _end(what: str) -> None:
    out = _file[0]
    print(f"{what} did not end in time", file=out, flush=True)
    for loop in list(_loops):
        if loop.is_running():
            told = threading.Event()
            loop.call_soon_threadsafe(_tasks, loop, out, told)
            told.wait(ANSWER)
    faulthandler.dump_traceback(out)
    out.flush()
    os._exit(1)


def _tasks(loop: asyncio.AbstractEventLoop, out: TextIO, told: threading.Event) -> None:
    for task in asyncio.all_tasks(loop):
        task.print_stack(file=out)
    out.flush()
    told.set()


def _timer(seconds: float, what: str) -> Callable[[], None]:
    timer = threading.Timer(seconds, _end, (what,))
    timer.daemon = True
    timer.start()

    def cancel() -> None:
        timer.cancel()
        timer.join()

    return cancel


_cancel = pytest.StashKey[Callable[[], None]]()


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: object) -> bool:
    """pytest-timeout's own says it to standard error, and nothing of tasks."""
    item.stash[_cancel] = _timer(float(settings.timeout), item.nodeid)  # type: ignore[attr-defined]
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    cancel = item.stash.get(_cancel, None)
    if cancel is not None:
        cancel()
        del item.stash[_cancel]
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """One that does not end ends its process."""
    cancel = _timer(TEARDOWN, f"the teardown of {item.nodeid}")
    try:
        return (yield)
    finally:
        cancel()
