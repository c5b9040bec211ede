"""`python -m gateway --config FILE`: the gateway's parent process, or one of its processes."""

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from gateway.supervisor.handing import taken
from gateway.watch.log import Log
from settings import coredump
from settings.load import SettingsError, describe, load
from settings.model import Settings
from settings.notify import Notifier
from settings.tls import start_problems


def main() -> int:
    """Exit codes: 0 ended cleanly, 1 could not run, 2 usage or configuration."""
    coredump.without()
    options = _options()
    path = Path(options.config) if options.config else None
    if options.settings_fd is not None:
        return _process(options)
    try:
        settings = load(path)
    except SettingsError as error:
        for problem in error.problems:
            print(f"configuration: {problem}", file=sys.stderr)
        return 2
    if options.check:
        json.dump(describe(settings), sys.stdout, indent=2)
        print()
        return 0
    return _supervise(settings, path)


def _process(options: argparse.Namespace) -> int:
    """A worker or releaser: what it is to do is the parent's word, not the file's."""
    # Imported late: prometheus-client picks its mode from the environment when imported.
    from gateway import entry

    settings = taken(options.settings_fd)
    if options.releaser is not None:
        return entry.release(settings, index=options.releaser, report=options.report_fd)
    return entry.run(
        settings,
        index=options.worker,
        descriptors=[int(number) for number in options.listen_fds.split(",")],
        report=options.report_fd,
        board=options.board,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gateway", description=__doc__)
    parser.add_argument("--config", help="TOML file; defaults and environment without it")
    parser.add_argument("--check", action="store_true", help="print the settings and exit")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--releaser", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--listen-fds", default="", help=argparse.SUPPRESS)
    parser.add_argument("--board", default="", help=argparse.SUPPRESS)
    parser.add_argument("--settings-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--report-fd", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _supervise(settings: Settings, path: Path | None) -> int:
    # Where the parent's own copies of the metrics go; workers get a directory of their own.
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.gettempdir())
    from gateway.hold.primary import refusal
    from gateway.relay import wire
    from gateway.supervisor.supervisor import FaultError, Supervisor
    from gateway.supervisor.telling import telling

    try:
        log = Log(level=settings.log.level, process="gateway", file=settings.log.file)
    except OSError as error:
        print(f"gateway: log.file: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    compiled = not str(wire.__file__).endswith(".py")
    values = json.dumps(describe(settings))
    log.info("settings", host=socket.gethostname(), compiled=compiled, values=values)
    if settings.hold.enabled and (why := asyncio.run(refusal(settings.database.url))):
        print(f"gateway: {why}: set both on, or a crash loses held mail", file=sys.stderr)
        return 1

    if problems := start_problems(settings):
        # As a broken file: systemd must not start it again for ever.
        print(f"gateway: {'; '.join(problems)}", file=sys.stderr)
        return 2

    async def run() -> None:
        notifier = Notifier()
        supervisor = Supervisor(settings, lambda: load(path), log)
        async with notifier.watched(), telling(supervisor, notifier):
            await supervisor.run(_announce)

    try:
        asyncio.run(run())
    except (OSError, FaultError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    finally:
        log.flush()
    return 0


def _announce(addresses: list[str], admin: str) -> None:
    print(f"ready smtp={','.join(addresses)} admin={admin}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
