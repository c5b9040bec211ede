"""What is said of one message, in the log and in the metrics."""

from gateway.delivery.attempt import Attempt
from gateway.delivery.means import Means
from gateway.message.outgoing import Outgoing
from gateway.watch import metrics
from gateway.watch.log import Value
from policy.outcome import Failed, Outcome, Unknown
from policy.reply import Reply


class Telling:
    """Of one message."""

    def __init__(self, means: Means, outgoing: Outgoing) -> None:
        self._means = means
        self._message = outgoing.message
        self._job = outgoing.campaign

    def fields(self, attempt: Attempt) -> dict[str, Value]:
        """What names the message and this attempt of it."""
        grant = attempt.grant
        fields = self._means.about(self._message)
        fields.update(
            envelope=attempt.envelope, vmta=grant.vmta, server=grant.server, job=self._job
        )
        return fields

    def verdict(self, attempt: Attempt, outcome: str, reply: Reply) -> None:
        """PowerMTA's."""
        metrics.messages_of(self._message.tenant, outcome).inc()
        fields = self.fields(attempt)
        fields.update(outcome=outcome, reply=str(reply))
        self._means.log.message(fields)

    def ending(self, outcome: str, **fields: Value) -> None:
        """Any other."""
        metrics.messages_of(self._message.tenant, outcome).inc()
        about = self._means.about(self._message)
        self._means.log.message({**about, **fields, "outcome": outcome})

    def trouble(self, attempt: Attempt, outcome: Outcome) -> None:
        """Of ours, if it is that."""
        if isinstance(outcome, Failed):
            self._means.log.warning("relay_failed", **self.fields(attempt), why=outcome.why)
        elif isinstance(outcome, Unknown):
            self._means.log.error("relay_unknown", **self.fields(attempt), why=outcome.why)

    def late(self, outcome: Outcome) -> None:
        """PowerMTA's reply to the dot, after nobody waited for it any more."""
        verdict = type(outcome).__name__.lower()
        self._means.log.warning("late_reply", **self._means.about(self._message), verdict=verdict)

    def unacknowledged(self, attempt: Attempt) -> None:
        """The client hears no 250 although PowerMTA may have the message: named here, so that an
        operator can find every message that may arrive without having been acknowledged."""
        metrics.unacknowledged.inc()
        self.ending("unknown", envelope=attempt.envelope, acknowledged=False)

    def refusal(self, attempt: Attempt, recipient: bytes, outcome: str, why: str) -> None:
        """Of one recipient, when others got the message."""
        log = self._means.log
        log.warning(
            "recipient_not_accepted", **self.fields(attempt), recipient=log.address(recipient),
            outcome=outcome, why=why,
        )  # fmt: skip
