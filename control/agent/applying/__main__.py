"""`python -m control.agent.applying`: the process that keeps PowerMTA's configuration, and, with
`--dry-run`, what stands behind `sendgate pmta agent --dry-run`."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from control.agent.applying.dryrun import shown
from control.agent.applying.following import Follower
from control.agent.configuration import ConfigurationError, read
from control.agent.post import PostError
from control.agent.process import end_with, hold, name_of
from control.version import VERSION
from settings.agent import Agent


def main(arguments: list[str]) -> int:
    """The exit code: 0 ended by a signal, 1 files, the lock or control cannot be had, 2 a
    configuration that cannot be used."""
    parser = argparse.ArgumentParser(prog="sendgate pmta agent")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--parent", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = read(given.config)
        if not settings.configuration:
            raise ConfigurationError(
                f"{given.config}: configuration: name the folder of PowerMTA's include files, such "
                "as /etc/pmta/sendgate"
            )
        if given.dry_run:
            print("\n".join(shown(settings, name_of(settings))), flush=True)
        else:
            _follow(settings, given.parent)
    except ConfigurationError as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # `… --dry-run | head`: the reader has what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, PostError) as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 1
    return 0


def _follow(settings: Agent, parent: int) -> None:
    """Raises OSError, BlockingIOError where another process does so."""
    # Its files are for PowerMTA's group, too; nobody else reads keys.
    os.umask(0o027)
    state = Path(settings.state)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    hold(state / "configuration.lock", f"another agent keeps PowerMTA's configuration by {state}")
    ended = threading.Event()
    follower = Follower(settings, name_of(settings), ended)

    def end(*_: object) -> None:
        ended.set()
        follower.interrupt()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if parent:
        end_with(parent, ended)
    logging.info("agent (%s): %s as control has it", VERSION, settings.configuration)
    follower.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
