"""What a stack is told on the command line."""

from pathlib import Path

import msgspec

from control.problem import bad
from policy.model import Address


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `sendgate up`. Port 0 takes any free one."""

    data_dir: Path
    config: Path | None = None
    smtp_port: int = 2587
    api_port: int = 8000
    pmta: Address | None = None
    """None: the stand-in."""
    standin_port: int = 2525
    workers: int | None = None
    demo_tenants: bool = True
    json: bool = False
    isolated: bool = False
    """Read neither configuration file nor environment: embedded parts and defaults alone."""


def pmta_address(text: str, field: str) -> Address:
    """`HOST:PORT` as an address; `field` is who gave it. Raises RefusedError."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        raise bad(field, f"{text!r} is not HOST:PORT, such as 192.0.2.10:2525")
    return Address(host=host.strip("[]"), port=int(port))
