"""What a figure was measured on: machine, interpreter, revision."""

import os
import platform
import re
import subprocess
import sysconfig
from pathlib import Path

import msgspec

from loadtest.benchmark import compiled


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """As far as it can be told."""

    cores: int
    cpu: str
    python: str
    pgo: bool | None
    """Whether the interpreter was built with profile-guided optimisation; None: it does not say, as
    Debian's, which was."""
    compiled: bool = False
    """Whether the product ran compiled."""
    revision: str
    """`git describe`; empty outside a clone."""


def machine() -> Machine:
    """This one."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        pgo=_pgo(),
        compiled=compiled.in_use(),
        revision=_revision(),
    )


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _pgo() -> bool | None:
    arguments = sysconfig.get_config_var("CONFIG_ARGS")
    # PGO_PROF_USE_FLAG names what a build could use, not what it did.
    return True if "--enable-optimizations" in str(arguments) else None


def _revision() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parent, timeout=10,
        )  # fmt: skip
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
