"""How far something long has come, for who looks at a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EVERY = 0.5
"""Seconds."""
_MEGA = 1_000_000


@contextmanager
def percent(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function that is told octets done and octets in all. It writes to standard error, and only
    to a terminal: logs of timers stay short."""
    last = 0.0

    def told(done: int, of: int) -> None:
        nonlocal last
        now = time.monotonic()
        if sys.stderr.isatty() and now - last >= _EVERY:
            last = now
            text = f"{what}: {done // _MEGA} of {of // _MEGA} MB"
            print(f"\r{text}  ", end="", file=sys.stderr, flush=True)

    try:
        yield told
    finally:
        if last:
            print(file=sys.stderr)
