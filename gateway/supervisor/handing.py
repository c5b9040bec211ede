"""What a process of the gateway is started with: its settings by a descriptor, and an environment
in which no secret can stand.

Everybody with our user may read /proc/PID/environ for as long as the process runs, crash reporters
copy it, and a child of a library's would inherit it. The parent alone was given secrets there, by
whoever started it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from settings.model import Settings

_NAMES = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR"})
_PREFIXES = ("LC_", "PYTHON", "LD_", "MALLOC_", "SSL_CERT_", "OPENSSL_", "KRB5", "COVERAGE_")
"""Of the interpreter, the C library, TLS, Kerberos' files, and the measuring of tests."""
_LIBPQ = "PG"
"""Of asyncpg, as of every client of PostgreSQL: PGPASSFILE, but PGPASSWORD, too."""


# glibc's allocator keeps what large messages used: left alone it raises its bound for memory it
# gives back up to 32 MB (mallopt(3), M_MMAP_THRESHOLD).
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "1048576"}


class Handed(msgspec.Struct, frozen=True):
    """By descriptor."""

    settings: Settings
    libpq: dict[str, str]
    """Variables that may be secret: in force in the process, and not in what /proc shows of it."""


def environment(environ: Mapping[str, str], metrics: Path) -> dict[str, str]:
    """Of `environ`, what a process of the gateway needs and what cannot be secret; its `metrics`
    are in that folder."""
    kept = {n: v for n, v in environ.items() if n in _NAMES or n.startswith(_PREFIXES)}
    return {**kept, **_MALLOC, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}


def hand(settings: Settings, state_dir: str, environ: Mapping[str, str]) -> int:
    """A descriptor of memory with the settings, to be inherited and closed. `state_dir`: the folder
    that was found for them. Raises OSError."""
    gateway = msgspec.structs.replace(settings.gateway, state_dir=state_dir)
    settings = msgspec.structs.replace(settings, gateway=gateway)
    libpq = {name: value for name, value in environ.items() if name.startswith(_LIBPQ)}
    descriptor = os.memfd_create("settings")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(msgspec.json.encode(Handed(settings, libpq)))
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def taken(descriptor: int) -> Settings:
    """What the parent handed on; the descriptor is closed."""
    with open(descriptor, "rb") as file:
        handed = msgspec.json.decode(file.read(), type=Handed)
    os.environ.update(handed.libpq)
    return handed.settings
