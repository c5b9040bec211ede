"""One message PowerMTA has taken."""

import base64
import hashlib

import msgspec

from loadtest.pmta import headers
from loadtest.pmta.envelope import Recipient


class Message(msgspec.Struct):
    """What is known of a message for its records and the report; times in epoch seconds."""

    id: int
    time: float
    queued_at: str
    vmta: str
    pool: str
    source_ip: str
    peer_ip: str
    local_ip: str
    mail_from: str
    recipients: list[Recipient]
    envid: str
    jobid: str
    message_id: str
    size: int
    user: str = ""
    duplicate_virtual_mta_header: bool = False
    discarded: tuple[str, ...] = ()


class Stored(msgspec.Struct):
    """A message as ``GET /messages`` shows it."""

    id: int
    time: float
    vmta: str
    pool: str
    source_ip: str
    mail_from: str
    rcpts: list[str]
    envid: str
    jobid: str
    message_id: str
    size: int
    discarded: tuple[str, ...]
    duplicate_virtual_mta_header: bool
    header_names: list[str]
    sha256: str
    """Of the content as delivered, hexadecimal."""
    raw: str | None
    """Base64 of the message as it arrived, dots unstuffed, before fields were removed."""
    content: str | None
    """Base64 of the message as delivered."""


def stored(message: Message, raw: bytes, content: bytes, with_bodies: bool) -> Stored:
    """`message` with a digest of its content and, `with_bodies`, the bytes themselves."""
    return Stored(
        message.id,
        message.time,
        message.vmta,
        message.pool,
        message.source_ip,
        message.mail_from,
        [recipient.address for recipient in message.recipients],
        message.envid,
        message.jobid,
        message.message_id,
        message.size,
        message.discarded,
        message.duplicate_virtual_mta_header,
        headers.names(content),
        hashlib.sha256(content).hexdigest(),
        base64.b64encode(raw).decode() if with_bodies else None,
        base64.b64encode(content).decode() if with_bodies else None,
    )
