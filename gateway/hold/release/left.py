"""Held rows that a releaser took up and does not send now. Plain values."""

import msgspec

from gateway.hold.held import Held
from policy.denial import MAILBOX_LIMITS, Denied


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not sent now; most fields go to the statement `leave`."""

    row: Held
    denied: Denied | None = None
    reason: str = ""
    detail: str = ""
    until: int = 0
    due: int = 0
    pool: str = ""
    paused: bool = False
    state: str = "held"
    ending: str = ""
    verdict: str = ""
    behind: str = ""
    server: str = ""


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
