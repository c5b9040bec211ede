"""Accounting records as rows: r at acceptance, d, b and t at an attempt.

Source: PowerMTA 5.0 User's Guide, accounting; the column order is the header seen on real
servers, the fields of r records and the Message-Id behind it. One record per recipient.
"""

from typing import NamedTuple

from loadtest.pmta.envelope import Recipient
from loadtest.pmta.message import Message

COLUMNS = (
    "type",
    "timeLogged",
    "timeQueued",
    "orig",
    "rcpt",
    "orcpt",
    "dsnAction",
    "dsnStatus",
    "dsnDiag",
    "dsnMta",
    "bounceCat",
    "srcType",
    "srcMta",
    "dlvType",
    "dlvSourceIp",
    "dlvDestinationIp",
    "dlvEsmtpAvailable",
    "dlvSize",
    "vmta",
    "jobId",
    "envId",
    "queue",
    "vmtaPool",
    "rcvSourceIp",
    "rcvDestinationIp",
    "rcvSmtpUser",
    "header_Message-Id",
)
# RFC 5737: an address nobody has; where mail would have been delivered to.
DESTINATION = "203.0.113.25"
ESMTP = "PIPELINING,8BITMIME,DSN"

Row = tuple[str, ...]


class Verdict(NamedTuple):
    """How an attempt ended: the record's type and its diagnosis."""

    type: str
    action: str
    status: str
    diagnosis: str
    category: str = ""
    connected: bool = True


DELIVERED = Verdict("d", "relayed", "2.0.0 (success)", "smtp;250 2.0.0 OK")
BOUNCED = Verdict(
    "b",
    "failed",
    "5.1.1 (bad destination mailbox address)",
    "smtp;550 5.1.1 user unknown",
    "bad-mailbox",
)
DELAYED = Verdict(
    "t", "delayed", "4.2.1 (mailbox temporarily disabled)", "smtp;451 4.2.1 try again later"
)
ORPHANED = Verdict(
    "b", "failed", "5.3.5 (no such virtual MTA)", "", "bad-configuration", connected=False
)


def receipt(message: Message, recipient: Recipient, now: str) -> Row:
    """The r record. `vmta` holds the pool's name where a pool was chosen (guide, r records)."""
    vmta = message.pool or message.vmta
    return (
        *("r", now, "", message.mail_from, recipient.address, recipient.orcpt, "", "", "", "", ""),
        *("smtp", _mta(message.peer_ip), "", "", "", "", "", vmta, message.jobid, message.envid),
        *("", message.pool, message.peer_ip, message.local_ip, message.user, message.message_id),
    )


def attempt(message: Message, recipient: Recipient, verdict: Verdict, now: str) -> Row:
    """The d, b or t record of one attempt for `recipient`."""
    discarded = recipient.address in message.discarded
    connected = verdict.connected and not discarded
    return (
        *(verdict.type, now, message.queued_at, message.mail_from, recipient.address),
        *(recipient.orcpt, verdict.action, verdict.status),
        "" if discarded else verdict.diagnosis,
        f"mx.{recipient.domain} ({DESTINATION})" if connected else "",
        *(verdict.category, "smtp", _mta(message.peer_ip), "discard" if discarded else "smtp"),
        *((message.source_ip, DESTINATION, ESMTP) if connected else ("0.0.0.0", "", "")),
        *(str(message.size), message.vmta, message.jobid, message.envid),
        *(f"{recipient.domain}/{message.vmta}", message.pool, "", "", message.user),
        message.message_id,
    )


def _mta(address: str) -> str:
    return f"({address})"
