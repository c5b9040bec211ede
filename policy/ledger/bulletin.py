"""What gateway processes tell each other and control through the ledger, about once a second.

Owns: names and shapes. Nothing here decides what may be sent: lost with the ledger, it is written
again. Bounded: paths are of the generation, and a process names at most `MOST` circuits.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

PASSED = "passed"
"""Hash: path to the ledger milliseconds when a message last passed on it."""
CIRCUITS = "circuits"
"""Hash: process to its circuits that are not closed; processes without one have no field."""
FULL = "full"
"""Hash: server to the ledger milliseconds when a process last found no slot of it."""

MOST = 64
_LONGEST = 300


def path_field(server: str, vmta: str) -> str:
    """The field of a path in `PASSED`: names have no blanks."""
    return f"{server} {vmta}"


class OpenCircuit(msgspec.Struct, frozen=True, array_like=True):
    """A circuit of one process that is not closed."""

    kind: Literal["server", "vmta"]
    name: str
    state: str
    """`open` or `probing`."""
    why: str
    """The failure that opened it."""
    rests: float
    """Seconds until a probe may go."""


def encode(circuits: Sequence[OpenCircuit]) -> bytes:
    """As it lies in the ledger."""
    shown = [
        msgspec.structs.replace(one, why=one.why[:_LONGEST], rests=round(one.rests, 1))
        for one in circuits[:MOST]
    ]
    return msgspec.json.encode(shown)


def decode(data: bytes) -> list[OpenCircuit]:
    """Of any version; what cannot be read is empty."""
    try:
        return msgspec.json.decode(data, type=list[OpenCircuit])
    except msgspec.DecodeError:
        return []
