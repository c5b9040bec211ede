"""``python -m loadtest.pmta``: runs a stand-in until SIGTERM or SIGINT."""

import asyncio
import signal
import sys

import uvloop

from loadtest.pmta.grammar import ConfigError
from loadtest.pmta.options import Options, parse
from loadtest.pmta.standin import Standin


async def run(options: Options) -> None:
    """Start, say ``ready`` with the addresses bound, and serve until told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, ended.set)
    async with Standin(options) as standin:
        smtp = " ".join(f"smtp={host}:{port}" for host, port in standin.smtp)
        print(f"ready {smtp} http={standin.http.host}:{standin.http.port}", flush=True)
        await ended.wait()


def main() -> None:
    """Run; a configuration or an address that cannot be used is one line and exit status 2."""
    options = parse(sys.argv[1:])
    try:
        uvloop.run(run(options))
    except (ConfigError, OSError, UnicodeDecodeError) as problem:
        print(f"pmta stand-in: {problem}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
