"""Processes by their pid: what they started, their command lines, a signal to all of them."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path


def children(pid: int) -> list[int]:
    """Pids of the direct children, oldest first; none for a process that is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return sorted(found)


def family(pid: int) -> list[int]:
    """The process and everything it started."""
    return [pid, *(member for child in children(pid) for member in family(child))]


def arguments(pid: int) -> list[str]:
    """The command line; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal all; one that is gone already is no trouble."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
