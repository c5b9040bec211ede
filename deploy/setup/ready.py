"""Waits until control or the gateway of this host says that it is ready; exit code 1: it did not.

`python ready.py control|gateway SECONDS CONFIG`, run by the release's own interpreter.
"""

import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from settings.load import load

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


def address(name: str, config: Path) -> str:
    """Where it is asked."""
    settings = load(config)
    if name == "gateway":
        host, port = settings.gateway.admin_host, settings.gateway.admin_port
        scheme, page = "http", "readyz"
    else:
        # Whether its ledger is open is told by `sendgate check`.
        host, port, page = settings.control.host, settings.control.port, "healthz"
        scheme = "https" if settings.control.certificate else "http"
    host = EVERYWHERE.get(host, host)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/{page}"


def ready(url: str) -> str:
    """'' for yes, else what was answered."""
    # Its certificate names a host, and we ask an address of our own.
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        with urllib.request.urlopen(url, timeout=5, context=context):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read(200).decode('utf-8', 'replace')}"
    except OSError as error:
        return str(error)


def main() -> int:
    name, seconds, config = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    url = address(name, config)
    ends = time.monotonic() + seconds
    while said := ready(url):
        if time.monotonic() >= ends:
            print(f"{url}: {said}", file=sys.stderr)
            return 1
        time.sleep(0.5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
