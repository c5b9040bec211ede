"""What the sender's system is to be told about held mail: internal or soft, never hard."""

from typing import Any

import msgspec

from control.held.held import moment, text_of


class HoldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient that was given up."""

    id: int
    at: str
    tenant: str
    message: str
    kind: str
    """expired, failed or refused."""
    class_: str = msgspec.field(name="class")
    """internal or soft: a hard bounce would make MailWizz blacklist the address for our fault."""
    message_id: str
    """Its Message-ID header: MailWizz finds bounces by it."""
    mailbox: str
    sender: str
    recipient: str
    campaign: str
    detail: str
    dsn: str
    """State of the report by mail: empty (none), wanted, sending, sent."""


def event_view(record: Any) -> HoldEvent:
    """From a row of `hold_event`."""
    given = (
        "id",
        "tenant",
        "message",
        "kind",
        "message_id",
        "mailbox",
        "campaign",
        "detail",
        "dsn",
    )
    return HoldEvent(
        at=moment(record["at"]),
        class_=record["class"],
        sender=text_of(record["sender"]),
        recipient=text_of(record["recipient"]),
        **{name: record[name] for name in given},
    )
