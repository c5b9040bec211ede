"""A message of which PowerMTA accepts some recipients at RCPT and others not.

Owns: committing it to the hold between the last RCPT and DATA, and what becomes of each recipient.
Rule: nobody gets the message before those that do not are committed, or a 250 could lose them and
a 451 send it twice to the rest. The rows of all are kept in doubt, for the dot is still to come:
the accepted ones' under the attempt's envelope id, the others' under ids that PowerMTA never saw,
so that, should this process die, accounting tells the ones from the others. Until the attempt is
over they are nobody else's (`dividing`). What was committed is ours: the client hears a refusal
only when the rows have ended before, and a deferral never.
Failure: a commit that is not certain sends nothing, and the client is told to come again.
"""

import asyncio
from collections.abc import Callable

import msgspec

from gateway.delivery.attempt import Attempt
from gateway.hold_port import DIVIDING, Hold, Keeping, Kept
from gateway.relay.verdicts import Verdict
from policy.identity import envelope_id, row_id
from policy.outcome import Outcome, Refused


class Division:
    """One attempt's, if it comes to it."""

    def __init__(
        self, hold: Hold, attempt: Attempt, keeping: Keeping, left: Callable[[], float]
    ) -> None:
        """`keeping` in doubt, of this attempt; `left`: seconds a commit may take by now."""
        self._hold = hold
        self._message = keeping.message
        self._attempt = attempt
        self._keeping = keeping
        self._left = left
        self._commit: asyncio.Task[Kept] | None = None
        self.verdicts: tuple[Verdict, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether it came to it."""
        return self._commit is not None

    def divided(self, verdicts: tuple[Verdict, ...], go_on: Callable[[str], None]) -> None:
        """What `Session.transact` asks before DATA."""
        self.verdicts = verdicts
        self._commit = asyncio.get_running_loop().create_task(self._keep(go_on))

    async def _keep(self, go_on: Callable[[str], None]) -> Kept:
        kept = await self._hold.keep(self._rows(), self._left())
        go_on("" if kept is Kept.KEPT else f"the refused recipients were not stored ({kept.value})")
        return kept

    def _rows(self) -> Keeping:
        attempt, message = self._attempt, self._message
        count = len(message.recipients)
        envelopes = [
            attempt.envelope
            if verdict is None
            else envelope_id(attempt.grant.at, row_id(message.id, number, count), attempt.number)
            for number, verdict in enumerate(self.verdicts)
        ]
        return msgspec.structs.replace(self._keeping, reason=DIVIDING, envelopes=tuple(envelopes))

    async def kept(self) -> Kept:
        """What became of the commit."""
        assert self._commit is not None
        return await self._commit

    def outcomes(self, accepted: Outcome) -> tuple[Outcome, ...]:
        """Each recipient's, when `accepted` is that of those who got the message."""
        return tuple([accepted if verdict is None else verdict for verdict in self.verdicts])

    def later(self, accepted: Outcome) -> tuple[Outcome | None, ...]:
        """As `outcomes`, when the others' were told before."""
        return tuple([accepted if verdict is None else None for verdict in self.verdicts])

    def settle(self, accepted: Outcome) -> None:
        """The client hears 250, so each row goes its own way: sent, held, refused or in doubt."""
        self._hold.settle(self._message, self._attempt.number, self.outcomes(accepted))

    async def withdraw(self, refusal: Refused) -> bool:
        """Nobody gets it, and the client shall hear `refusal`. False when the rows may be there
        still: the client hears 250, and each recipient's refusal is a late one."""
        why = f"its client was told: {refusal.reply}"
        number, left = self._attempt.number, self._left()
        if await self._hold.withdraw(self._message, number, why, left):
            return True
        self._hold.settle(self._message, number, (refusal,) * len(self.verdicts))
        return False

    def sentence(self) -> str:
        """How many got it, for the client."""
        taken = sum(verdict is None for verdict in self.verdicts)
        return f"{taken} of {len(self.verdicts)} recipients"

    def refusals(self) -> list[tuple[bytes, str, str]]:
        """(address, outcome, PowerMTA's words) of those who did not get it, for the log."""
        return [
            (recipient.address, *_said(verdict))
            for recipient, verdict in zip(self._message.recipients, self.verdicts, strict=True)
            if verdict is not None
        ]


def _said(verdict: Verdict) -> tuple[str, str]:
    if isinstance(verdict, Refused):
        return "refused", str(verdict.reply)
    assert verdict is not None
    return "held", verdict.why
