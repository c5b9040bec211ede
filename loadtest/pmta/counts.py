"""What the report counts. Every step costs a dictionary update, whatever the number of messages."""

import msgspec

from loadtest.pmta.message import Message


class Totals(msgspec.Struct):
    """Counters since the start or the last reset. `recipients` are those a quota would count."""

    connections: int = 0
    connections_refused: int = 0
    most_sessions: int = 0
    logins: int = 0
    messages: int = 0
    recipients: int = 0
    bytes: int = 0
    rcpt_refused: int = 0
    rcpt_deferred: int = 0
    refused_after_dot: int = 0
    deferred_after_dot: int = 0
    unknown_virtual_mta: int = 0
    lost_after_dot: int = 0
    stalled: int = 0
    dots_after_refused_rcpt: int = 0
    """Messages whose dot came although one of their recipients had been refused."""
    duplicate_envids: int = 0
    """Messages that carried an envId some earlier message had."""
    duplicate_virtual_mta_header: int = 0
    invalid_job: int = 0
    delivered: int = 0
    bounced: int = 0
    transient: int = 0


class Volume(msgspec.Struct):
    """Mail taken for one VirtualMTA, or discarded."""

    messages: int = 0
    recipients: int = 0
    bytes: int = 0

    def add(self, recipients: int, size: int) -> None:
        """One more message of `size` bytes for `recipients`."""
        self.messages += 1
        self.recipients += recipients
        self.bytes += size


class IllegalDot(msgspec.Struct):
    """A dot sent behind a 354 the client had to distrust (RFC 2920 3.1)."""

    time: float
    mail_from: str
    refused: list[str]
    accepted: list[str]
    envid: str
    size: int


class Counts:
    """The report's numbers, by VirtualMTA, by VirtualMTA and recipient domain, by envId."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything counted."""
        self.totals = Totals()
        self.discarded = Volume()
        self.by_vmta: dict[str, Volume] = {}
        self.by_vmta_domain: dict[str, dict[str, int]] = {}
        self.by_envid: dict[str, int] = {}
        self.illegal_dots: list[IllegalDot] = []

    def taken(self, message: Message) -> None:
        """Count a message PowerMTA has taken; its discarded recipients are nobody's real mail."""
        totals = self.totals
        if message.envid:
            earlier = self.by_envid.get(message.envid, 0)
            self.by_envid[message.envid] = earlier + 1
            totals.duplicate_envids += earlier > 0
        totals.duplicate_virtual_mta_header += message.duplicate_virtual_mta_header
        discarded = len(message.discarded)
        if discarded:
            self.discarded.add(discarded, message.size)
        real = len(message.recipients) - discarded
        if not real:
            return
        totals.messages += 1
        totals.recipients += real
        totals.bytes += message.size
        volume = self.by_vmta.get(message.vmta)
        if volume is None:
            volume = self.by_vmta[message.vmta] = Volume()
            self.by_vmta_domain[message.vmta] = {}
        volume.add(real, message.size)
        domains = self.by_vmta_domain[message.vmta]
        for recipient in message.recipients:
            if recipient.address not in message.discarded:
                domains[recipient.domain] = domains.get(recipient.domain, 0) + 1

    def report(self, sessions: int, waiting: int) -> dict[str, object]:
        """The report's body; see loadtest/README.md for its fields."""
        return {
            "totals": {
                **msgspec.structs.asdict(self.totals),
                "sessions": sessions,
                "waiting": waiting,
                "illegal_dots": len(self.illegal_dots),
            },
            "discarded": self.discarded,
            "by_vmta": self.by_vmta,
            "by_vmta_domain": self.by_vmta_domain,
            "illegal_dots": self.illegal_dots,
        }
