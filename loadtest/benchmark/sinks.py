"""What stands behind everything measured, on one port."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Literal

import msgspec

SINK_PORT = 2598
ACCEPT = "smtp-sink: accepts everything at once, stores nothing"
REALISTIC = "loadtest.sink: replies 5 ms late, defers 2 %, stalls 2 s in every 10 s"
LATE = 0.005
"""Seconds by which the realistic sink answers late."""
_REALISTIC = ("--delay", str(LATE), "--defer", "0.02", "--stall-every", "10", "--stall", "2")


class Count(msgspec.Struct):
    """What `loadtest.sink` printed at its end."""

    taken: int = 0
    distinct: int = 0
    twice: int = 0
    deferred: int = 0
    strange: int = 0


@contextlib.contextmanager
def sink() -> Iterator[None]:
    """Postfix's sink, accepting everything."""
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = subprocess.Popen(
        # -m: its own default of 256 would queue the last of 200 clients and 200 relay sessions.
        ["smtp-sink", *user, "-m", "2000", f"127.0.0.1:{SINK_PORT}", "1000"],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def counting(*arguments: str) -> Iterator[Count]:
    """Our own sink; the counts are filled in when it is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loadtest.sink", "--port", str(SINK_PORT), *arguments],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    count = Count()
    try:
        assert process.stdout is not None
        if not process.stdout.readline().startswith("ready"):
            raise RuntimeError(f"no sink on port {SINK_PORT}")
        yield count
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=30)
    found = msgspec.json.decode(said, type=Count)
    for name in Count.__struct_fields__:
        setattr(count, name, getattr(found, name))


@contextlib.contextmanager
def sink_of(kind: Literal["accept", "realistic"]) -> Iterator[None]:
    """The sink a case asks for."""
    with sink() if kind == "accept" else counting(*_REALISTIC):
        yield
