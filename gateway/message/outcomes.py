"""Messages by what became of them: counted, and in the log."""

from functools import lru_cache
from typing import Final

from gateway.message.message import Message
from gateway.message.xtext import spoken
from gateway.watch import metrics
from gateway.watch.log import Log, Value
from gateway.watch.tally import Count
from policy.reply import Reply

MESSAGES: Final = metrics.counters(
    "sendgate_messages_total",
    "Messages by tenant and outcome: relayed, refused (PowerMTA's verdict), held, doubt (held, no "
    "reply after the dot), duplicate (dropped), denied (a limit), failed (ours), deferred (the "
    "hold could not take it), unknown (no reply after the dot, not held), rejected (malformed or "
    "not allowed), suppressed (taken for nobody: all its recipients are).",
    {
        "tenant": (),
        "outcome": (
            "relayed", "refused", "held", "doubt", "duplicate", "denied", "failed", "deferred",
            "unknown", "rejected", "suppressed",
        ),
    },
)  # fmt: skip


SUPPRESSED: Final = metrics.counters(
    "sendgate_suppressed_total",
    "Recipients in RCPT that are suppressed: refused, accepted (and sent nothing), unknown "
    "(deferred: nobody could say).",
    {"result": ("refused", "accepted", "unknown")},
)


# What every message counts: finding a child by its labels costs as much as counting it.
@lru_cache(maxsize=4096)
def counted(tenant: str, outcome: str) -> Count:
    """The count of such messages."""
    return MESSAGES.labels(tenant, outcome)


def about(log: Log, message: Message) -> dict[str, Value]:
    """What every log line of a message says."""
    address = log.address
    about: dict[str, Value] = {
        "message": message.id,
        "tenant": message.tenant,
        "peer": message.peer,
        "sender": address(message.sender.address),
        "recipients": [address(r.address) for r in message.recipients],
        "size": message.size,
    }
    if message.sender.envid:
        about["envid"] = address(spoken(message.sender.envid).encode())
    return about


def rejected(log: Log, message: Message, reply: Reply) -> Reply:
    """Never to be sent: said in the log, and to the client."""
    counted(message.tenant, "rejected").inc()
    log.message({**about(log, message), "outcome": "rejected", "reply": str(reply)})
    return reply


def suppressed(log: Log, message: Message) -> None:
    """Those of its recipients that get nothing; a message without others is counted."""
    if not message.recipients:
        counted(message.tenant, "suppressed").inc()
    names = [log.address(recipient.address) for recipient in message.suppressed]
    log.message({**about(log, message), "recipients": names, "outcome": "suppressed"})
