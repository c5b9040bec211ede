"""One grant on its way: stamp, relay, settle with the ledger; the same for live and held mail.

Rule: every recipient's charge ends in exactly one of relayed (stays), unknown (stays) or refunded;
the duplicate entry follows (policy/README.md: charging, duplicates).
"""

import time
from collections.abc import Callable
from typing import Final

from gateway.delivery.hop import parcel, unsendable
from gateway.ledger.reserve import Reserver
from gateway.message.outgoing import Outgoing
from gateway.message.stamp import stamp
from gateway.relay.parcel import Parcel
from gateway.relay.relay import Relay
from gateway.relay.verdicts import Divided, Verdict
from gateway.relay.wire import Session
from gateway.watch import metrics
from policy.identity import envelope_id
from policy.ledger_port import Change, EntryState, Granted
from policy.outcome import Failed, Outcome, Relayed, Unknown
from policy.provider import provider_of
from policy.reply import Reply

_RECIPIENTS: Final = metrics.counters(
    "sendgate_recipients_relayed_total",
    "Recipients relayed, by VirtualMTA and mailbox provider.",
    {"vmta": (), "provider": ()},
)
_REFUNDS: Final = metrics.counter(
    "sendgate_refunds_total", "Charges given back after a definite failure."
)
_UNKNOWN: Final = metrics.counter(
    "sendgate_unknown_outcomes_total", "Attempts whose dot was sent and not answered in time."
)
_UNSENDABLE: Final = metrics.counters(
    "sendgate_unsendable_total",
    "Attempts not made because PowerMTA, or what stands before it, does not offer what the message "
    "needs: refused (SMTPUTF8, for internationalized mail) or held (8BITMIME, for 8-bit content; "
    "SMTPUTF8 where nothing is known of what is offered).",
    {"result": ("refused", "held")},
)
_LATE: Final = metrics.counters(
    "sendgate_late_replies_total",
    "Replies to the dot that came after the client was answered, by verdict.",
    {"verdict": ("relayed", "refused", "failed", "unknown")},
)
_SECONDS: Final = metrics.histogram(
    "sendgate_relay_seconds", "From the grant of a message to PowerMTA's reply."
)


class Attempts:
    """Makes attempts. One instance a process."""

    def __init__(
        self,
        *,
        reserver: Reserver,
        relay: Relay,
        clock: Callable[[], float],
        grant_lifetime: float,
    ) -> None:
        """`clock`: real elapsed seconds that go on while the machine sleeps; `grant_lifetime` in
        the same: a grant not begun by then is given back."""
        self.reserver = reserver
        self.relay = relay
        self.clock = clock
        self._grant_lifetime = grant_lifetime

    def attempt(self, outgoing: Outgoing, grant: Granted, number: int, asked: float) -> "Attempt":
        """`asked`: when the reserve left, by `clock`."""
        return Attempt(self, outgoing, grant, number, asked)

    def fresh(self, asked: float) -> bool:
        return self.clock() - asked < self._grant_lifetime


class Attempt:
    """One grant."""

    def __init__(
        self, owner: Attempts, outgoing: Outgoing, grant: Granted, number: int, asked: float
    ) -> None:
        self._owner = owner
        self._outgoing = outgoing
        self._asked = asked
        self.grant = grant
        self._charge = grant
        """What of the grant was not given back."""
        self._verdicts: tuple[Verdict, ...] = ()
        self.number = number
        self.envelope = envelope_id(grant.at, outgoing.message.id, number, outgoing.key)

    async def relay(
        self, deadline: float, late: Callable[[Outcome], None], divided: Divided | None = None
    ) -> Outcome:
        """Send it. `deadline` is loop time; `late` is told if the dot is answered after Unknown
        was returned; `divided` as for `Session.transact`. The charge is settled for every outcome
        but Unknown, and of recipients that were refused alone also then."""
        owner, grant, outgoing = self._owner, self.grant, self._outgoing
        head = stamp(outgoing.head, vmta=grant.vmta, job=outgoing.campaign, envelope=self.envelope)
        message = outgoing.message

        def pack(session: Session) -> Parcel | Reply | Failed:
            offered = session.extensions
            if (problem := unsendable(message, head, offered)) is not None:
                _UNSENDABLE.labels("refused" if isinstance(problem, Reply) else "held").inc()
                return problem
            return parcel(message, head, self.envelope, offered)

        def answered_late(outcome: Outcome) -> None:
            _LATE.labels(type(outcome).__name__.lower()).inc()
            self._settle(outcome)
            late(outcome)

        def told(verdicts: tuple[Verdict, ...], go_on: Callable[[str], None]) -> None:
            assert divided is not None
            self._verdicts = verdicts
            divided(verdicts, go_on)

        started = time.perf_counter()
        outcome = await owner.relay.send(
            grant.server,
            grant.vmta,
            pack,
            message=message.id,
            deadline=deadline,
            fresh=lambda: owner.fresh(self._asked),
            late=answered_late,
            divided=told if divided is not None else None,
        )
        _SECONDS.observe(time.perf_counter() - started)
        self._settle(outcome)
        return outcome

    def _settle(self, outcome: Outcome) -> None:
        if self._verdicts and isinstance(outcome, Relayed | Unknown):
            self._refund_some()
        if isinstance(outcome, Relayed):
            for provider, count in self._charge.providers:
                _RECIPIENTS.labels(self.grant.vmta, provider).inc(count)
            self.change(EntryState.SENT)
        elif isinstance(outcome, Unknown):
            _UNKNOWN.inc()
            self.change(EntryState.DOUBT)
        else:
            self.refund()

    def refund(self) -> None:
        """Give the charge back; called for a definite failure, and once."""
        _REFUNDS.inc()
        self._owner.reserver.refund(self._charge)

    def _refund_some(self) -> None:
        """Give back what the recipients cost that PowerMTA did not take, once."""
        recipients, verdicts = self._outgoing.message.recipients, self._verdicts
        self._verdicts = ()
        counts: dict[str, int] = {}
        left = dict(self._charge.providers)
        for recipient, verdict in zip(recipients, verdicts, strict=True):
            if verdict is not None:
                provider = provider_of(recipient.domain)
                if left.get(provider, 0) < 1:
                    # Learnt since it was charged: under which other one, nobody kept.
                    provider = max(left, key=left.__getitem__)
                left[provider] -= 1
                counts[provider] = counts.get(provider, 0) + 1
        part = self._charge.part(tuple(counts.items()))
        self._charge = self._charge.without(part)
        _REFUNDS.inc()
        self._owner.reserver.refund(part)

    def change(self, state: EntryState) -> None:
        """Tell the ledger what became of the message, if it has a duplicate key."""
        key = self._outgoing.key
        if key:
            owner = self._outgoing.message.id
            self._owner.reserver.change(Change(key, owner, self.number, state, self.grant.server))
