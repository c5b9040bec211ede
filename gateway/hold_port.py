"""What the message path asks of a hold, and the values that travel (policy/README.md: hold).

`gateway.hold` is the real one; without it (`hold.enabled = false`) `NoHold` keeps nothing.
Calendar times are ledger milliseconds.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal, Protocol

import msgspec

from gateway.message.message import Message
from gateway.message.outgoing import Outgoing
from policy.outcome import Outcome
from policy.provider import provider_of


class Kept(StrEnum):
    """What became of a commit."""

    KEPT = "kept"
    NOT_KEPT = "not_kept"
    """It did not happen and never will."""
    UNSURE = "unsure"
    """Nobody knows; the client must not be told 250. Where nothing was sent the hold makes sure
    that nothing of it ever goes, and then frees its duplicate entry."""


State = Literal["held", "doubt"]

DIVIDING = "dividing"
"""Reason of rows in doubt whose attempt is under way: nobody but that settles them."""


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be held, one row for each of its recipients."""

    message: Message
    head: bytes
    """Header block without the fields we strip, dot-stuffed."""
    pool: str
    providers: tuple[str, ...]
    """Provider of each recipient, in order."""
    mailbox: str
    bulk: bool
    campaign: str
    key: str
    message_id: str
    state: State
    reason: str
    detail: str
    until: int = 0
    due: int = 0
    """Above 0: it waits by itself until then."""
    attempt: int = 0
    failures: int = 0
    server: str = ""
    vmta: str = ""
    envelope: str = ""
    envelopes: tuple[str, ...] = ()
    """Envelope id of each recipient's row, where they differ."""
    behind: str = ""


def keeping(outgoing: Outgoing, attempt: int, state: State, reason: str, detail: str) -> Keeping:
    """A message as it was on its way; `attempt` is the number of its last one."""
    return Keeping(
        message=outgoing.message,
        head=outgoing.head,
        pool=outgoing.pool,
        providers=tuple([provider_of(r.domain) for r in outgoing.message.recipients]),
        mailbox=outgoing.mailbox,
        bulk=outgoing.bulk,
        campaign=outgoing.campaign,
        key=outgoing.key,
        message_id=outgoing.message_id,
        state=state,
        reason=reason,
        detail=detail,
        attempt=attempt,
    )


class Admission(msgspec.Struct, frozen=True):
    """Whether one message more may wait."""

    accept: bool = True
    delay: float = 0.0
    """Seconds the reply is held back: synchronous clients slow down by it."""
    sentence: str = ""
    """With a refusal: why, and when to come back."""


class Hold(Protocol):
    """Durable waiting."""

    def admit(self, message: Message, pool: str, providers: Sequence[str]) -> Admission:
        """Whether its tenant may have this message waiting, too; no I/O."""
        ...

    async def keep(self, keeping: Keeping, within: float) -> Kept:
        """Commit it; answers within `hold.commit_budget`, and `within` seconds."""
        ...

    def settle(self, message: Message, attempt: int, outcomes: Sequence[Outcome | None]) -> None:
        """What became of a message kept in doubt, for each of its recipients; None: nothing yet, or
        it was settled before."""
        ...

    async def withdraw(self, message: Message, attempt: int, why: str, within: float) -> bool:
        """Nothing of a message kept in doubt was sent, and its client shall know: its rows end.
        False when that is not certain within so many seconds: then the client must be told 250, and
        `settle` says what became of them."""
        ...
