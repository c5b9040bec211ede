"""A whole run as it is written down: JSON, and what the report is drawn from."""

import msgspec

from loadtest.benchmark.machine import Machine
from loadtest.laboratory.figures import Figures, Spread
from loadtest.laboratory.invariants import Invariant
from loadtest.laboratory.scenario import Scenario


class Sample(msgspec.Struct, frozen=True):
    """After one step of the calendar."""

    day: int
    step: int
    seconds: float
    """Of real time, since the first step."""
    offered: int
    taken: int
    waiting: int
    memory: dict[str, int]
    """Octets by process."""
    rate: float
    """Messages a second that clients were answered, while they sent."""


class Curve(msgspec.Struct, frozen=True):
    """One IP: what it had taken of its day after each step, day by day."""

    address: str
    tenant: str
    quota: int
    days: list[list[int]]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    scenario: Scenario
    machine: Machine
    started: str
    """ISO time of the machine."""
    setup_seconds: float
    run_seconds: float
    ok: bool
    invariants: list[Invariant]
    broken: list[str]
    """Names of those that do not hold."""
    figures: Figures
    samples: list[Sample]
    curves: list[Curve]
    memory: dict[str, int]
    """The most octets by process."""
    processor: dict[str, float]
    """Seconds of processor time by process, set-up left out."""
    api: dict[str, Spread]
    """Seconds of an answer of the API at the end of the run, by path."""
    paused: list[str]
    """Addresses of IPs that warm-up had paused at the end: what they did not send was not there to
    be shared out."""
    trouble: list[str]
    """The first few answers that were not positive."""
