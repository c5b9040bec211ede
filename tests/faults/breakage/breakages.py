"""One function for each mechanism that can be taken out: called in the gateway's children before
anything runs. Each makes the books show what the mechanism prevents."""

from typing import Any

from gateway import transaction
from gateway.reserve import Reserver
from policy.outcome import Relayed


def refund_what_was_relayed() -> None:
    """A charge is given back although PowerMTA took the message: the quota is exceeded."""
    attempt: Any = transaction._Attempt
    settled = attempt.settled

    def broken(self: Any, outcome: Any) -> Any:
        if isinstance(outcome, Relayed):
            self.refund()
        return settled(self, outcome)

    attempt.settled = broken


def acknowledge_the_unknown() -> None:
    """A lost reply is taken for a delivery: a message is acknowledged and lost."""
    from policy.reply import Reply

    attempt: Any = transaction._Attempt
    settled = attempt.settled

    def broken(self: Any, outcome: Any) -> Any:
        reply = settled(self, outcome)
        return reply if reply.code == 550 else Reply(250, "2.0.0", "OK")

    attempt.settled = broken


def forget_refunds() -> None:
    """Nothing is ever given back: no promise is broken, and the test must say so."""
    Reserver.refund = lambda self, charge: None  # type: ignore[method-assign]
