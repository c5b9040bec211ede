"""Who began what is being done, and from where: for the audit log, whatever part writes it down.

Rule: it is said at the door, for each request anew, and goes with the task; what nobody said it of
is ours.
"""

from contextvars import ContextVar

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """Of one request, or one run of a job."""

    kind: str
    """user, console, token, job, warm-up, command or control."""
    name: str
    address: str
    """Where the request came from; empty: from nowhere outside."""


_HERE: ContextVar[Origin] = ContextVar("origin")

_OURS = {"warmup": "warm-up", "command line": "command", "sendgate up": "command"}


def come(kind: str, name: str, address: str) -> None:
    """What this task does from now on is begun by that."""
    _HERE.set(Origin(kind, name, address))


def origin(who: str) -> Origin:
    """Of an act of `who`. A token may be called as a part of ours is: it stays a token."""
    here = _HERE.get(Origin("", "", ""))
    if here.kind and here.name == who:
        return here
    kind = _OURS.get(who) or ("job" if here.kind == "job" else "control")
    return Origin(kind, who, here.address)
