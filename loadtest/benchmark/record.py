"""A run as JSON: where, what, and every round, so that any other statistic can be made of it."""

from typing import Any

import msgspec

from loadtest.benchmark import sinks
from loadtest.benchmark.figures import encoded
from loadtest.benchmark.latency import Latency
from loadtest.benchmark.machine import Machine
from loadtest.benchmark.result import BARE, DIRECT, SENDGATE, Result
from loadtest.benchmark.soak import Soak

_SINKS = {"accept": sinks.ACCEPT, "realistic": sinks.REALISTIC}


class Record(msgspec.Struct, kw_only=True):
    """One run."""

    machine: Machine
    appendfsync: str = ""
    """`appendonly/appendfsync`, as the stack's Valkey answered."""
    skipped: dict[str, str] = {}
    """Peer to why it was not measured."""
    results: list[Result] = []
    latency: Latency | None = None
    soak: Soak | None = None

    def encode(self) -> bytes:
        """Indented, for a file that is committed."""
        found: dict[str, Any] = {
            "machine": msgspec.to_builtins(self.machine),
            "appendfsync": self.appendfsync,
            "skipped": self.skipped,
            "results": [_result(result) for result in self.results],
        }
        if self.latency is not None:
            found["latency_seconds"] = _rounded(msgspec.to_builtins(self.latency))
        if self.soak is not None:
            soak = msgspec.to_builtins(self.soak)
            found["soak"] = _rounded({**soak, "lost": self.soak.lost})
        return encoded(found)


def _result(result: Result) -> dict[str, Any]:
    case = msgspec.to_builtins(result.case)
    ratios = {
        name: {"ratio": found.value, "spread": found.spread, "rounds": found.rounds}
        for name in result.series
        if name != SENDGATE and (found := result.over(name))
    }
    bare = result.over(BARE)
    said = {
        "name": result.case.name,
        "case": {**case, "sink": _SINKS[result.case.sink]},
        "needed": {DIRECT: result.case.needed, **result.case.needed_peers},
        "messages_a_second": result.series,
        "others_share_of_cpu": result.others,
        "sendgate_over": ratios,
        "headers_cost": None if bare is None else 1 - bare.value,
        "cpu_microseconds_a_message": {name: 1e6 * cpu for name, cpu in result.cpu.items()},
        "peak_octets": result.peak,
        "injector_cpu_microseconds_a_message": 1e6 * result.injector,
    }
    return {name: _rounded(value) for name, value in said.items()}


def _rounded(value: Any) -> Any:
    """Floats to five digits behind the point: more is noise, and noise in a diff."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
