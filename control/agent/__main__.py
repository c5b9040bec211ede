"""`python -m control.agent`: the process behind `sendgate pmta agent`, which imports little: it
shares a machine with PowerMTA."""

import argparse
import logging
import signal
import socket
import sys
import threading
from pathlib import Path

from control.agent.configuration import ConfigurationError, read
from control.agent.post import Poster
from control.agent.shipping import Shipper
from control.version import VERSION

DEFAULT = Path("/etc/sendgate/agent.toml")


def main(arguments: list[str]) -> int:
    """The exit code: 0 ended by a signal, 2 a configuration that cannot be used."""
    parser = argparse.ArgumentParser(prog="sendgate pmta agent")
    parser.add_argument("--config", type=Path, default=DEFAULT)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = read(given.config)
        Path(settings.state).mkdir(mode=0o700, parents=True, exist_ok=True)
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        name = (settings.name or socket.gethostname())[:64]
        shipper = Shipper(settings, name, Poster(settings), ended)
    except ConfigurationError as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"sendgate: {error}", file=sys.stderr)
        return 1
    logging.info("agent %s (%s): %s to %s", name, VERSION, settings.path, settings.url)
    shipper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
