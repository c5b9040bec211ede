"""Held rows that a releaser took up and does not send now: what they are, and who is told."""

from typing import Final

import msgspec

from gateway.hold.held import Held
from gateway.watch import metrics
from gateway.watch.log import Log, Value
from policy.address import split_address
from policy.denial import MAILBOX_LIMITS, Denied

RELEASED: Final = metrics.counters(
    "sendgate_released_total",
    "Held recipients by how an attempt ended: relayed, refused (by PowerMTA, or its sender may not "
    "be used any more), suppressed, failed, rested, unknown.",
    {"result": ("relayed", "refused", "suppressed", "failed", "rested", "unknown")},
)


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not sent now; most fields go to the statement `leave`."""

    row: Held
    denied: Denied | None = None
    reason: str = ""
    detail: str = ""
    until: int = 0
    due: int = 0
    pool: str = ""
    """Where it belongs by now; '' where it was."""
    provider: str = ""
    """As `pool`."""
    paused: bool = False
    state: str = "held"
    ending: str = ""
    verdict: str = ""
    behind: str = ""
    server: str = ""
    suppressed: bool = False
    """That is why it never will be."""


def looking(left: list[Left], soon: int) -> list[Left]:
    """The same, but the first of each mailbox that has to wait looks again at `soon`, before the
    others: a place may be free before the limit ends."""
    seen: set[tuple[str, str]] = set()
    found = []
    for one in left:
        mailbox = (one.row.tenant, one.row.mailbox)
        if one.denied and one.denied.limit in MAILBOX_LIMITS and mailbox not in seen:
            seen.add(mailbox)
            found.append(msgspec.structs.replace(one, due=min(one.due, soon)))
        else:
            found.append(one)
    return found


def tell(left: list[Left], log: Log) -> None:
    """Of those that never will be sent, behind the commit: as of any other end."""
    for one in left:
        if one.state != "refused":
            continue
        row, outcome = one.row, "suppressed" if one.suppressed else "refused"
        RELEASED.labels(outcome).inc()
        fields: dict[str, Value] = {
            "message": row.id,
            "tenant": row.tenant,
            "recipients": [log.address(row.recipient)],
            "outcome": outcome,
            "why": one.verdict,
        }
        log.info("released", **fields)
        log.hear({**fields, "job": row.campaign, "mailbox": row.mailbox})


def domain_of(recipient: bytes) -> str:
    """In lower case and A-labels; '' for what is no address."""
    parts = split_address(recipient.decode())
    return parts[1] if parts else ""
