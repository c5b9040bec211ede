"""What all deliveries of a worker share, and what its log says of every message."""

from collections.abc import Callable

from gateway.delivery.attempt import Attempts
from gateway.hold_port import Hold
from gateway.message.message import Message
from gateway.message.xtext import spoken
from gateway.watch import metrics
from gateway.watch.log import Log, Value
from policy.denial import MAILBOX_LIMITS, Denied
from policy.reply import Reply
from settings.model import Settings


class Means:
    """One a worker."""

    def __init__(
        self,
        settings: Settings,
        attempts: Attempts,
        hold: Hold | None,
        now: Callable[[], int],
        log: Log,
    ) -> None:
        """`hold` None: what may not go is deferred; `now`: ledger milliseconds."""
        self.settings = settings
        self.attempts = attempts
        self.hold = hold
        self.now = now
        self.log = log

    def rests(self, denied: Denied) -> int:
        """Until when a message that was denied so waits by itself; 0: it stands in line. A mailbox
        may have a place before its limit ends: the releaser looks."""
        if denied.limit not in MAILBOX_LIMITS:
            return 0
        return min(denied.until, self.now() + round(self.settings.hold.mailbox_look * 1000))

    def about(self, message: Message) -> dict[str, Value]:
        """What every log line of a message says."""
        address = self.log.address
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

    def rejected(self, message: Message, reply: Reply) -> Reply:
        """Never to be sent: said in the log, and to the client."""
        metrics.messages_of(message.tenant, "rejected").inc()
        self.log.message({**self.about(message), "outcome": "rejected", "reply": str(reply)})
        return reply
