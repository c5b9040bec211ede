"""What one accounting record says, by the names of PowerMTA's guide, whatever brought it. Pure.

Columns are found by name, never by position; a column that is not there, or behind the end of a
short row, reads as ''.
"""

from operator import itemgetter

import msgspec

from control.accounting.columns import Times
from control.accounting.records import Piece
from policy.identity import PROBE, Envelope, parse_envelope

FINAL = frozenset("db")
"""The types after which PowerMTA has done with a recipient."""

NAMES = (
    *("timelogged", "timequeued", "rcpt", "orig", "envid", "dsnstatus", "dsndiag", "bouncecat"),
    *("dsnaction", "dsnmta", "vmta", "dlvsourceip", "jobid", "rcvsmtpuser", "srcmta"),
    *("header_from", "header_message-id", "feedbacktype"),
)
"""Columns in the order of `Fact`'s fields behind `kind`."""


class Fact(msgspec.Struct, gc=False):
    """Fields as they were written; times in milliseconds of the calendar."""

    kind: str
    """PowerMTA's type: r, d, b, t, tq, rb, rs, f, or what a newer one writes."""
    at: int
    """timeLogged."""
    queued: int
    """timeQueued; 0: not told."""
    rcpt: str
    orig: str
    envid: str
    status: str
    diagnosis: str
    category: str
    action: str
    mta: str
    vmta: str
    source_ip: str
    job: str
    login: str
    feeder: str
    """srcMta: who handed the message in."""
    author: str
    """The From field, where the configuration records it."""
    message_id: str
    feedback: str
    names: tuple[str, ...] = ()
    """Of all columns it came with."""
    fields: list[str] = []
    """What they hold, perhaps fewer."""
    dated: bool = True
    """False: it has no time, and `at` is when it came."""
    envelope: Envelope | None = None
    """What the envelope id says, where it is of a message of ours."""
    identity: bytes = b""
    """`control.accounting.identity`."""

    @property
    def is_ours(self) -> bool:
        """Whether the gateway handed it in: a message or a probe of its own."""
        return self.envelope is not None or self.envid.startswith(PROBE)


def facts(piece: Piece, times: Times, now: int) -> list[Fact]:
    """One a record, without its identity. `now` stands in for a time that is not there, calendar
    milliseconds."""
    lowered = piece.columns.lowered
    absent = len(lowered)
    pick = itemgetter(*(lowered.index(name) if name in lowered else absent for name in NAMES))
    blank = [""] * (absent + 1)
    found = []
    for record in piece.records:
        fields = record.fields
        logged, queued, *texts = pick(fields + blank[len(fields) :])
        at = times(logged) or 0
        fact = Fact(fields[0], at or now, times(queued) or 0, *texts)
        fact.names, fact.fields, fact.dated = piece.columns.names, fields, at != 0
        fact.envelope = parse_envelope(fact.envid)
        found.append(fact)
    return found
