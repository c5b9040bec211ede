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

UNKNOWN = "unknown_vmtas"
"""Hash: VirtualMTA that PowerMTA does not know to its words. Whoever finds out writes it, whoever's
probe is taken removes it; all others follow, and those that start. Names are of the generation."""

LOGINS = "logins"
"""Hash: SMTP login to the ledger milliseconds when it last let a client in; control takes them away
as it writes them down. Those of the plan alone get in: that bounds it."""

LOGINS_BEFORE = "logins_before"
"""The same of those that did it by a former password."""

FIGURES = "figures"
"""Hash: process to what it has done since it began."""

OUTCOMES = "outcomes"
"""Stream: entries whose field `o` has JSON lines, each (ms, message, tenant, recipient, outcome,
job, VirtualMTA, server, envelope, why), and of what was refused, the mailbox."""

OUTCOMES_TOLD = "outcomes_told"
"""Lines ever added to that stream, those that were trimmed among them."""

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
    unknown: bool = False
    """A VirtualMTA that PowerMTA does not know."""


class Figures(msgspec.Struct, frozen=True):
    """What one process has done. Outcomes are those of the messages counter, with `released` for
    held mail that went: a dozen names, whatever clients do."""

    began: int = 0
    """Ledger milliseconds."""
    sessions: int | None = None
    """Client sessions open now; null: it takes none, a releaser."""
    outcomes: dict[str, int] = {}
    """Messages since it began."""
    minute: dict[str, int] = {}
    """Of them, those of the last 60 s or so."""
    packs: bool = False
    """It knows packed duplicate entries (`policy.ledger.packing`)."""


def encode_figures(figures: Figures) -> bytes:
    """As they lie in the ledger."""
    return msgspec.json.encode(figures)


def decode_figures(data: bytes | None) -> Figures:
    """Of any version; what cannot be read, or is not there, has done nothing."""
    try:
        return msgspec.json.decode(data or b"{}", type=Figures)
    except msgspec.DecodeError:
        return Figures()


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
