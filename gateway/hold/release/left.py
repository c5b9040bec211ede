"""Held rows that a releaser took up and does not send now: what they are, and who is told."""

from collections import Counter
from typing import Any, Final

import msgspec

from gateway.hold.held import Held
from gateway.watch import metrics
from gateway.watch.log import Log, Value
from policy.address import split_address
from policy.denial import MAILBOX_LIMITS, Denied, Limit
from policy.limits import HOUR, MINUTE
from policy.mailbox import terms_of
from policy.model import Tenant

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
    apart: int = 0
    """Milliseconds from it to the next of its mailbox."""
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


def denied(row: Held, why: Denied, **more: Any) -> Left:
    """A row that a limit keeps."""
    return Left(row=row, denied=why, reason=why.limit.value, detail=why.sentence(), **more)


def apart(why: Denied, tenant: Tenant, mailbox: str) -> int:
    """Milliseconds from one message of a mailbox to the next, at least, by the limit that keeps it:
    so its rows are due one after the other. All at once, each that goes would have all the others
    called and sent away again. 0: its limit lets several go when it ends."""
    match why.limit:
        case Limit.MAILBOX_SPACING:
            return terms_of(tenant, tenant.mailboxes.get(mailbox)).gap
        case Limit.MAILBOX_MINUTE:
            return MINUTE // max(why.bound, 1)
        case Limit.MAILBOX_HOUR:
            return HOUR // max(why.bound, 1)
    return 0


def looking(left: list[Left], soon: int) -> list[Left]:
    """The same, but those of a mailbox that has to wait are due one after the other, and the first
    looks again at `soon`, before the others: a place may be free before the limit ends."""
    places: Counter[tuple[str, str]] = Counter()
    found = []
    for one in left:
        if one.denied and one.denied.limit in MAILBOX_LIMITS:
            mailbox = (one.row.tenant, one.row.mailbox)
            due = one.due + places[mailbox] * one.apart if one.due else 0
            due = due if places[mailbox] else min(due, soon)
            places[mailbox] += 1
            found.append(msgspec.structs.replace(one, due=due))
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
