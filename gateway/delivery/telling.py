"""What is said of one message, in the log and in the metrics."""

from typing import Final

from gateway.delivery.attempt import Attempt
from gateway.message.outcomes import MESSAGES, about, counted, rejected
from gateway.message.outgoing import Outgoing
from gateway.watch import metrics
from gateway.watch.log import Log, Value
from policy.denial import Limit
from policy.outcome import Failed, Outcome, Unknown
from policy.reply import Reply

_DENIALS: Final = metrics.counters(
    "sendgate_denials_total",
    "Messages that could not go now, by the limit that bound.",
    {"limit": (*(limit.value for limit in Limit), "hold")},
)
_DUPLICATES: Final = metrics.counters(
    "sendgate_duplicates_total",
    "Messages that were a copy of an earlier one, by tenant.",
    {"tenant": ()},
)
_UNACKNOWLEDGED: Final = metrics.counter(
    "sendgate_unacknowledged_total",
    "Messages that PowerMTA may have although their client heard no 250; each is in the log.",
)


def expect(tenant: str) -> None:
    """Its messages may come: what is counted of them is there."""
    MESSAGES.expect(tenant)
    _DUPLICATES.expect(tenant)


class Telling:
    """Of one message."""

    def __init__(self, log: Log, outgoing: Outgoing) -> None:
        self._log = log
        self._message = outgoing.message
        self._job = outgoing.campaign
        self._mailbox = outgoing.mailbox

    def fields(self, attempt: Attempt) -> dict[str, Value]:
        """What names the message and this attempt of it."""
        grant = attempt.grant
        fields = about(self._log, self._message)
        fields.update(
            envelope=attempt.envelope, vmta=grant.vmta, server=grant.server, job=self._job
        )
        return fields

    def verdict(self, attempt: Attempt, outcome: str, reply: Reply) -> None:
        """PowerMTA's."""
        counted(self._message.tenant, outcome).inc()
        fields = self.fields(attempt)
        fields.update(outcome=outcome, reply=str(reply))
        if outcome == "refused":
            self._log.message(fields, mailbox=self._mailbox)
        else:
            self._log.message(fields)

    def ending(self, outcome: str, **fields: Value) -> None:
        """Any other."""
        counted(self._message.tenant, outcome).inc()
        self._log.message({**about(self._log, self._message), **fields, "outcome": outcome})

    def rejected(self, reply: Reply) -> Reply:
        """Never to be sent; the client hears `reply`."""
        return rejected(self._log, self._message, reply)

    def denial(self, limit: str) -> None:
        """Which limit bound; `hold` for the bounds of what waits."""
        _DENIALS.labels(limit).inc()

    def duplicate(self) -> None:
        """It is a copy, whatever comes of it."""
        _DUPLICATES.labels(self._message.tenant).inc()

    def trouble(self, attempt: Attempt, outcome: Outcome) -> None:
        """Of ours, if it is that."""
        if isinstance(outcome, Failed):
            self._log.warning("relay_failed", **self.fields(attempt), why=outcome.why)
        elif isinstance(outcome, Unknown):
            self._log.error("relay_unknown", **self.fields(attempt), why=outcome.why)

    def late(self, outcome: Outcome) -> None:
        """PowerMTA's reply to the dot, after nobody waited for it any more."""
        verdict = type(outcome).__name__.lower()
        self._log.warning("late_reply", **about(self._log, self._message), verdict=verdict)

    def unacknowledged(self, attempt: Attempt) -> None:
        """The client hears no 250 although PowerMTA may have the message: named here, so that an
        operator can find every message that may arrive without having been acknowledged."""
        _UNACKNOWLEDGED.inc()
        self.ending("unknown", envelope=attempt.envelope, acknowledged=False)

    def refusal(self, attempt: Attempt, recipient: bytes, outcome: str, why: str) -> None:
        """Of one recipient, when others got the message."""
        self._log.warning(
            "recipient_not_accepted", **self.fields(attempt),
            recipient=self._log.address(recipient), outcome=outcome, why=why,
        )  # fmt: skip
