"""Which record it is, so that it counts once whatever brought it, and how often. Pure.

PowerMTA's records have no number of their own. Ours are known by what the envelope id says: type,
second, recipient and the id itself, so that the webhook's record and the file's are one even where
the two were configured with other columns. Others are known by type, second, recipient, sender,
envelope id, status, diagnosis and source IP.
Two equal ones are two records when they stand in one file or one batch (a recipient named twice),
so the how-manieth belongs to the identity. The server does not: the webhook does not always say
which it is, and two servers have no source IP in common.
Limit: equal records that a sender of batches put into two batches count once. The other way
round a batch that is sent again, cut elsewhere, would count twice.
"""

import hashlib
from collections.abc import Iterable

from control.accounting.columns import Times
from control.accounting.fact import Fact, facts
from control.accounting.met import Met
from control.accounting.records import Piece
from policy.address import recipient_name

OCTETS = 16
_BETWEEN = "\x1f"


class Reading:
    """Makes facts of the records of one file or batch, each with its identity."""

    def __init__(self) -> None:
        self._met = Met()
        self._times = Times()

    def facts(self, pieces: Iterable[Piece], now: int) -> list[Fact]:
        """One a record, met now. `now` stands in for a time that is not there, calendar
        milliseconds."""
        found = [fact for piece in pieces for fact in facts(piece, self._times, now)]
        for fact in found:
            fact.identity = self._identity(fact)
        return found

    def _identity(self, fact: Fact) -> bytes:
        first = digest(fact)
        before = self._met.before(first)
        if not before:
            return first
        return hashlib.blake2b(first + b"%d" % before, digest_size=OCTETS).digest()


def digest(fact: Fact) -> bytes:
    """Of the first such fact."""
    rcpt = recipient_name(fact.rcpt)
    second = str(fact.at // 1000) if fact.dated else ""
    parts = [fact.kind, second, rcpt, fact.envid]
    if not fact.is_ours:
        parts += [
            recipient_name(fact.orig),
            fact.status.strip(),
            fact.diagnosis.strip(),
            fact.source_ip.strip(),
        ]
    text = _BETWEEN.join(parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=OCTETS).digest()
