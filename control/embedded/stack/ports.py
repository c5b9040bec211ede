"""The ports of a stack: asked for by number, or any free one that is then kept."""

from pathlib import Path

from control.embedded.servers.error import LocalPartError
from control.embedded.servers.ports import RememberedPort, is_free


def port(directory: Path, name: str, wanted: int, option: str) -> int:
    """`wanted`, else (0) the port of that name this directory had before, else a free one.

    Raises LocalPartError naming the port and the option that chooses another."""
    if wanted and not is_free(wanted):
        raise LocalPartError(
            f"port {wanted} is taken by another process; free it, or choose another with {option}"
        )
    return RememberedPort(directory / f"{name}.port", wanted).resolve()
