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

from control.accounting.fact import Fact
from policy.address import recipient_name

OCTETS = 16
_REMEMBERED = 20_000
_BETWEEN = "\x1f"


class Twins:
    """How often each record of a file or a batch was met."""

    def __init__(self) -> None:
        self._met: dict[bytes, int] = {}

    def identity(self, fact: Fact) -> bytes:
        """Of a record that is met now: 16 octets."""
        first = digest(fact)
        before = self._met.pop(first, 0)
        self._met[first] = before + 1
        if len(self._met) > _REMEMBERED:
            # Equal records are of one second: none follows so far behind.
            for old in list(self._met)[: _REMEMBERED // 2]:
                del self._met[old]
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
