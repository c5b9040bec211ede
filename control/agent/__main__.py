"""`python -m control.agent`: the process behind `sendgate pmta agent`, which imports little: it
shares a machine with PowerMTA.

With `--pipe` it reads what PowerMTA writes, and a child of it ships: a post may take longer than
PowerMTA waits. One process ships at a time, whoever started it: it holds the lock in `state`. What
control offers of PowerMTA's configuration is another child's (`control.agent.applying`): a reload
takes longer than accounting should wait.
"""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from control.agent.asking import Asking
from control.agent.configuration import ConfigurationError, read
from control.agent.pipe import Pipe
from control.agent.post import Poster
from control.agent.process import Child, end_with, hold, name_of
from control.agent.shipping import Shipper
from control.version import VERSION
from settings import coredump
from settings.agent import Agent
from settings.notify import READY, STOPPING, Notifier

DEFAULT = Path("/etc/sendgate/agent.toml")
_DRAIN = 5.0
"""Seconds for which the child ships on behind the pipe's end."""


def main(arguments: list[str]) -> int:
    """The exit code: 0 ended by a signal, 1 files or the lock cannot be had, 2 a configuration that
    cannot be used."""
    coredump.without()
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
            end_with(given.parent, ended)
        if given.pipe:
            _pipe(settings, given.config, ended)
        else:
            _ship(settings, given.config, ended)
    except ConfigurationError as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 1
    return 0


def _ship(settings: Agent, config: Path, ended: threading.Event) -> None:
    """Raises OSError, BlockingIOError where another process ships."""
    hold(Path(settings.state) / "lock", f"another agent ships from {settings.state}")
    name = name_of(settings)
    poster = Poster(settings)
    asking = Asking(settings, name, poster)
    child = Child("control.agent.applying", config) if settings.configuration else None

    notifier = Notifier()

    def meanwhile() -> None:
        notifier.alive()
        asking.attend()
        if child is not None:
            child.attend()

    shipper = Shipper(settings, name, poster, ended, meanwhile)
    logging.info("agent %s (%s): %s to %s", name, VERSION, settings.path, settings.url)
    notifier.tell(READY, f"STATUS=ships {settings.path}")
    try:
        shipper.run()
    finally:
        notifier.tell(STOPPING)
        asking.close()
        if child is not None:
            child.end()


def _pipe(settings: Agent, config: Path, ended: threading.Event) -> None:
    """Raises OSError."""
    pipe = Pipe(
        Path(settings.path),
        largest=settings.pipe_largest,
        kept=settings.pipe_kept,
        ended=ended,
    )
    child = Child("control.agent", config)
    try:
        pipe.run(sys.stdin.fileno(), child.attend)
    finally:
        ended.wait(_DRAIN)
        child.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
