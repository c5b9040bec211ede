"""Circuits that gateway processes have open: each process finds out, and rests, by itself."""

from collections.abc import Mapping, Sequence

import msgspec

from policy.ledger.bulletin import OpenCircuit


class CircuitView(msgspec.Struct, frozen=True, kw_only=True):
    """One circuit of one process that is not closed."""

    process: str
    kind: str
    """`server` or `vmta`."""
    name: str
    state: str
    """`open`: nothing goes there; `probing`: one message is on its way to find out."""
    probe_in: float
    """Seconds until a probe may go, when the process last said so."""
    why: str
    """The failure that opened it."""


class CircuitsView(msgspec.Struct, frozen=True, kw_only=True):
    """All of them; whoever is not named sends everywhere."""

    processes: int
    """Live gateway processes, workers and releasers."""
    circuits: list[CircuitView]


def circuits_view(found: Mapping[str, Sequence[OpenCircuit]]) -> CircuitsView:
    """From what the processes say, by name."""
    listed = [
        CircuitView(
            process=process,
            kind=one.kind,
            name=one.name,
            state=one.state,
            probe_in=one.rests,
            why=one.why,
        )
        for process, circuits in found.items()
        for one in circuits
    ]
    listed.sort(key=lambda one: (one.kind, one.name, one.process))
    return CircuitsView(processes=len(found), circuits=listed)


def sentences(view: CircuitsView) -> dict[tuple[str, str], str]:
    """By (kind, name): in how many processes it is open, and why."""
    groups: dict[tuple[str, str], list[CircuitView]] = {}
    for one in view.circuits:
        groups.setdefault((one.kind, one.name), []).append(one)
    return {
        (kind, name): (
            f"the circuit of {'server' if kind == 'server' else 'VirtualMTA'} {name} is open in "
            f"{len(group)} of {view.processes} processes ({group[0].why})"
        )
        for (kind, name), group in groups.items()
    }
