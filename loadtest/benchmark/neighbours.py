"""How much of the machine's CPU time others took while a round ran.

Ratios hold on any machine, but not on any day: Sendgate's half passes a message through four
processes where direct has two, so that neighbours slow it more (measured on two cores: 0.145 of
direct when calm, 0.07 with five other processes running). A round says how calm it was.
Rule: others are everything on the CPUs we may use, less this process, its descendants, and those
that it has waited for. What a hypervisor takes (steal) is others' too.
"""

import os
import resource
from pathlib import Path

from loadtest.benchmark import processes

_TICK = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)
"""Columns idle and iowait of /proc/stat (proc(5))."""
_COLUMNS = 8
"""user to steal; the guest columns after them are in user already."""


class Meter:
    """Runs from its making."""

    def __init__(self) -> None:
        self._busy, self._all = _machine()
        self._own = _own()

    def others(self) -> float:
        """Their share of the CPU time there was, 0 to 1."""
        busy, total = _machine()
        passed = total - self._all
        used = busy - self._busy - (_own() - self._own)
        return min(1.0, max(0.0, used / passed)) if passed > 0 else 0.0


def _machine() -> tuple[float, float]:
    """Busy and all CPU time of our CPUs, in seconds."""
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    busy = total = 0
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *columns = line.split()
        if name in ours:
            spent = [int(column) for column in columns[:_COLUMNS]]
            total += sum(spent)
            busy += sum(spent) - sum(spent[column] for column in _IDLE)
    return busy / _TICK, total / _TICK


def _own() -> float:
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = processes.usage(os.getpid()).values()
    return waited.ru_utime + waited.ru_stime + sum(used.cpu for used in living)
