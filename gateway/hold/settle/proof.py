"""A row in doubt, and the records and rows that say something of it. Plain values."""

from typing import NamedTuple

import msgspec

from policy.duplicate import recipient_digest
from policy.identity import parse_envelope

RESTORED = "restored"
"""Reason of rows that a restored backup had as held: any attempt of them may have been sent."""

Named = tuple[str, int, int]
"""(message, attempt, recipient) that a record must name; 0 is any."""


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """A row in doubt."""

    bucket: int
    id: str
    message: str
    tenant: str
    recipient: bytes
    key: str
    whole: str
    attempt: int
    server: str
    envelope: str
    since: int
    reason: str
    behind: str
    failures: int

    @property
    def several(self) -> bool:
        """Whether its message has other recipients: one envelope id may name them all."""
        return self.id != self.message

    @property
    def first(self) -> Named | None:
        """A record of the first one."""
        if not self.behind:
            return None
        return self.behind, 0, recipient_digest(self.recipient) if self.several else 0

    @property
    def together(self) -> Named | None:
        """A record of the attempt in which the message went to all its recipients at once."""
        known = parse_envelope(self.envelope)
        if known is None or not self.several or known.message != self.message:
            return None
        return known.message, known.attempt, recipient_digest(self.recipient)

    @property
    def alone(self) -> Named | None:
        """A record of an attempt for this recipient alone; its envelope id has the row's id. One
        that a restored backup put in doubt may have had any since, also where it was a copy."""
        restored = self.reason == RESTORED
        if restored or not (self.envelope or self.behind):
            return self.id, 0, 0
        known = parse_envelope(self.envelope)
        if known is None or self.together is not None:
            return None
        return known.message, known.attempt, 0

    @property
    def asked(self) -> list[Named]:
        """Every record that says something of it."""
        found = [self.first, self.together, self.alone]
        if self.together is not None:
            found.append((*self.together[:2], 0))
        return [named for named in found if named is not None]


class Proof(NamedTuple):
    """Up to when a server's stream proves absences, milliseconds; 0: not at all."""

    proven: int
    gap_at: int

    def covers(self, since: int, before: int) -> bool:
        """Whether it proves the absence of an attempt that was in doubt from `since` on and handed
        over at most `before` milliseconds earlier: its receipt may lie that far behind."""
        return self.gap_at < since - before and since <= self.proven


class Firsts:
    """What became of messages that others stand behind."""

    def __init__(
        self, rows: dict[str, tuple[str, str]], parts: dict[tuple[str, int], tuple[str, str]]
    ) -> None:
        """As `gateway.hold.settle.firsts` finds them."""
        self._rows = rows
        self._parts = parts

    def of(self, doubt: Doubt) -> tuple[str, str] | None:
        """(state, ending) of the row that decides about this one: of the same recipient."""
        alone = self._rows.get(doubt.behind)
        if alone is not None or not doubt.several:
            return alone
        return self._parts.get((doubt.behind, recipient_digest(doubt.recipient)))
