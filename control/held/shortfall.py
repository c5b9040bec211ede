"""What mailboxes with mail waiting lack to their daily minimum, as releasers tell it."""

from typing import Any

import msgspec

from policy.isotime import date_of, not_before
from policy.limits import day_of

SHOWN = 7
"""Days."""


class ShortfallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One pool on one UTC day."""

    day: str
    over: bool
    """The day is: it stays like this. Else the minimum may be reached still."""
    tenant: str
    pool: str
    mailboxes: int
    """With mail waiting."""
    behind: int
    """Of those below their minimum."""
    missing: int
    """Recipients they lack together."""
    most: int
    """And the one that lacks most; with the same minimum no other lacks less by more than one, but
    for limits of its own."""
    counted: str


class HoldShortfall(msgspec.Struct, frozen=True, kw_only=True):
    """Days and pools of which every mailbox reached its minimum are not there."""

    rows: list[ShortfallRow]


def hold_shortfall(records: list[Any], now: int) -> HoldShortfall:
    """`now` in milliseconds."""
    today = day_of(now)
    return HoldShortfall(
        rows=[
            ShortfallRow(
                day=date_of(r["day"]), over=r["day"] < today, tenant=r["tenant"], pool=r["pool"],
                mailboxes=r["mailboxes"], behind=r["behind"], missing=r["missing"],
                most=r["most"], counted=not_before(r["at"]),
            )
            for r in records
        ]
    )  # fmt: skip
