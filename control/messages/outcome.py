"""One recipient's outcome: as gateways write it, as the table keeps it, as the API shows it."""

from typing import Any

import msgspec

from control.held.held import moment, text_of
from policy.address import hashed, split_address
from settings.log import Log

COLUMNS = (
    *("at", "message", "tenant", "recipient", "outcome"),
    *("campaign", "vmta", "server", "envelope", "why"),
)


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """A line of a gateway (`policy.ledger.bulletin.OUTCOMES`)."""

    at: int
    message: str
    tenant: str
    recipient: str
    outcome: str
    campaign: str
    vmta: str
    server: str
    envelope: str
    why: str
    mailbox: str = ""
    """Of what was refused."""


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one recipient of a message, or where it waits."""

    at: str
    message: str
    tenant: str
    recipient: str
    outcome: str
    """relayed, held, refused, …; of a released message that attempt's, and how it ended (expired,
    failed, dropped, forgotten, duplicate, relayed once its doubt was settled)."""
    campaign: str
    vmta: str
    server: str
    envelope: str
    why: str
    waits: str
    """This recipient's state in the hold now: held, claimed, doubt; empty: it is not there."""


class MessagePage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    messages: list[MessageView]
    before: str | None
    """To be given as `before` for the next page; null: this is the last."""


_decode = msgspec.json.Decoder(Outcome).decode


def read(entry: bytes) -> list[Outcome]:
    """Lines that cannot be read, of another version, are left out."""
    found = []
    for line in entry.split(b"\n"):
        try:
            found.append(_decode(line))
        except msgspec.DecodeError:
            continue
    return found


def normal(recipient: str) -> str:
    """As the table has it: the domain in its one spelling, the local part as it is."""
    local, sign, domain = recipient.rpartition("@")
    parts = split_address(f"x@{domain}")
    text = f"{local}@{parts[1]}" if sign and parts else recipient
    return text.replace("\0", "")


def looked_for(recipient: str, addresses: str, key: str) -> str:
    """As the table has it, where gateways write digests, too."""
    return hashed(recipient, key.encode()) if addresses == "hashed" else recipient


def unkeyed(log: Log) -> bool:
    """Whether gateways write digests with keys that nobody has."""
    return log.addresses == "hashed" and not log.key


def message_view(record: Any, waits: str) -> MessageView:
    """From a row of `outcome`, or of the hold."""
    shown = {name: record[name] for name in COLUMNS}
    if isinstance(shown["recipient"], bytes):
        shown["recipient"] = normal(text_of(shown["recipient"]))
    return MessageView(**(shown | {"at": moment(record["at"])}), waits=waits)
