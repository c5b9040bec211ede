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
    unknown: bool = False
    """A VirtualMTA that PowerMTA does not know (5.5.0): our own probe finds out when it does."""


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
            unknown=one.unknown,
        )
        for process, circuits in found.items()
        for one in circuits
    ]
    listed.sort(key=lambda one: (one.kind, one.name, one.process))
    return CircuitsView(processes=len(found), circuits=listed)


UNKNOWN = "sendgate pmta config"
"""The command that writes what PowerMTA has to load."""


def next_of(view: CircuitsView, name: tuple[str, str]) -> str:
    """The command that comes next for (kind, name)."""
    ours = [one for one in view.circuits if (one.kind, one.name) == name]
    return UNKNOWN if any(one.unknown for one in ours) else "sendgate server circuits"


def sentences(view: CircuitsView) -> dict[tuple[str, str], str]:
    """By (kind, name): in how many processes it is open, and why."""
    groups: dict[tuple[str, str], list[CircuitView]] = {}
    for one in view.circuits:
        groups.setdefault((one.kind, one.name), []).append(one)
    return {
        (kind, name): _sentence(kind, name, group, view) for (kind, name), group in groups.items()
    }


def _sentence(kind: str, name: str, group: list[CircuitView], view: CircuitsView) -> str:
    if any(one.unknown for one in group):
        return (
            f"PowerMTA does not know VirtualMTA {name}: mail goes by other IPs or is held until "
            "PowerMTA has loaded the configuration that Sendgate generates; a probe of ours finds "
            f"out ({group[0].why})"
        )
    return (
        f"the circuit of {'server' if kind == 'server' else 'VirtualMTA'} {name} is open in "
        f"{len(group)} of {view.processes} processes ({group[0].why})"
    )
