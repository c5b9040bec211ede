"""What the gateway asks of a ledger, and the values that travel.

`policy.ledger` has the real one (Valkey, Redis) and its memory twin; both pass the same
contract tests. All times are ledger milliseconds, all counts recipients.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from policy.denial import Denied


class Reserve(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Ask for one message: charged whole or not at all."""

    tenant: str
    pool: str
    mailbox: str
    """Empty: the message counts for no mailbox."""
    providers: tuple[tuple[str, int], ...]
    """Recipients by provider; a provider occurs once."""
    away: tuple[str, ...] = ()
    """Servers this gateway cannot use now."""
    broken: tuple[str, ...] = ()
    """VirtualMTAs this gateway must not use now."""
    dry: bool = False
    """Decide, but charge nothing."""
    key: str = ""
    """Digest of the duplicate key; empty: the message has none."""
    owner: str = ""
    """Message id, for the duplicate entry."""
    attempt: int = 0
    """Number of this attempt under its message."""
    held: bool = False
    """It comes from the hold: marks of held mail do not keep it back."""


class Granted(msgspec.Struct, frozen=True, array_like=True):
    """A charge that was made; hand it back unchanged to refund it."""

    vmta: str
    ip: str
    server: str
    tenant: str
    mailbox: str
    providers: tuple[tuple[str, int], ...]
    at: int
    """When it was granted; its day is the charge's day for ever."""
    interval: float
    """Pace interval charged per recipient, open milliseconds; 0 when unpaced."""
    incarnation: str
    last: int = 0
    """When the mailbox sent before, for the refund of its spacing; 0: never, or no spacing."""
    rates: tuple[tuple[str, int, int], ...] = ()
    """Limits of a minute and an hour that counted it: (scope, slot of its minute, of its hour), 0:
    not counted there (`policy/ledger/rating.lua`)."""

    @property
    def count(self) -> int:
        return sum(count for _, count in self.providers)

    def part(self, providers: tuple[tuple[str, int], ...]) -> "Granted":
        """The charge of some of its recipients, to be refunded while the rest is sent: the mailbox
        did send at `at`, so its spacing stays."""
        return msgspec.structs.replace(self, providers=providers, last=self.at)

    def without(self, part: "Granted") -> "Granted":
        """What is left of the charge when `part` was refunded."""
        taken = dict(part.providers)
        left = [(name, count - taken.get(name, 0)) for name, count in self.providers]
        return msgspec.structs.replace(
            self, providers=tuple([(name, count) for name, count in left if count])
        )


class Refund(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Give a charge back, once. Changes nothing at a ledger of another incarnation."""

    charge: Granted


class EntryState(StrEnum):
    """What a duplicate entry says about its owner (policy/README.md: duplicates)."""

    TRYING = "T"
    HELD = "H"
    SENT = "S"
    DOUBT = "D"
    FREE = "F"
    """Remembered for a while, so that a change of an earlier attempt does not bring it back."""


ENDED = 1 << 30
"""Attempt of a change by who ended a message for good: above every attempt it had."""


class Change(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Change the entry of `key`, if it is the owner's and not of a later attempt."""

    key: str
    owner: str
    attempt: int
    state: EntryState
    server: str = ""


class Mark(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """How many held recipients of a pool × provider could go now; lives a few seconds."""

    pool: str
    provider: str
    count: int


class Look(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Read the entry of a key, as another message would meet it."""

    key: str


class Duplicate(msgspec.Struct, frozen=True, array_like=True):
    """The message was seen before: what became of the first one. Nothing was charged."""

    state: EntryState
    owner: str
    attempt: int
    server: str
    """Where the owner's attempt went; empty: nothing was granted to it."""


Item = Reserve | Refund | Change | Mark | Look
Decision = Granted | Denied | Duplicate | None
"""None answers a refund, a change, a mark, and a look at a key without an entry."""


class Answer(msgspec.Struct, frozen=True):
    """The reply to one batch."""

    decisions: tuple[Decision, ...]
    generation: int
    now: int
    sequence: int


class LedgerAwayError(Exception):
    """No reply in time. What the batch charged stays charged (too high, never too low)."""


class LedgerClosedError(Exception):
    """The ledger is not the one that was opened: nothing may be sent by it."""


class Ledger(Protocol):
    """One atomic call a batch."""

    async def decide(self, items: Sequence[Item]) -> Answer:
        """Answers in the order of the items.

        Raises LedgerAwayError and LedgerClosedError."""
        ...
