"""What statistics are asked and answer: values."""

import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Sums. `relayed`: recipients PowerMTA took; `bounced`: for good, for whatever reason but time,
    with those that came back after a delivery; `expired`: given up after too long; `deferred`:
    attempts that were put off; rates are null where there is nothing to divide by."""

    relayed: int
    delivered: int
    bounced: int
    bounced_address: int
    bounced_block: int
    bounced_full: int
    bounced_other: int
    deferred: int
    expired: int
    complaints: int
    delivery_rate: float | None
    """Delivered of relayed."""
    bounce_rate: float | None
    """Bounced of relayed."""
    complaint_rate: float | None
    """Complaints of delivered."""


class Row(Counts, frozen=True, kw_only=True):
    """Counts under the keys that were asked for; the others are not there. '' is a value: it was
    not known, or there was none. `other`: campaigns and mailboxes beyond the bound, providers that
    have no name."""

    day: str | UnsetType = UNSET
    tenant: str | UnsetType = UNSET
    ip: str | UnsetType = UNSET
    campaign: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    mailbox: str | UnsetType = UNSET


class Bounces(msgspec.Struct, frozen=True, kw_only=True):
    """Of one category of PowerMTA's."""

    category: str
    kind: str = msgspec.field(name="class")
    bounced: int


class StatisticsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Days are calendar days of UTC in which the mail was granted, both inclusive."""

    first: str = msgspec.field(name="from")
    last: str = msgspec.field(name="to")
    by: list[str]
    rows: list[Row]
    more: str | None
    """`after` of the page that follows; null: this is the last."""
    total: Counts | None
    """Of all rows, of other pages too; null: it was not asked for. Where receipts are missing,
    `relayed` is at least what ended, row by row: rows of more keys may add up to more."""
    categories: list[Bounces] | None
    """All bounces by category; null: they were not asked for."""


SUMS = (
    *("relayed", "delivered", "bounced", "bounced_address", "bounced_block", "bounced_full"),
    *("expired", "deferred", "complaints"),
)
"""Columns of an answer of the tables."""

EPOCH = datetime.date(1970, 1, 1)


def counts_of(record: Any) -> dict[str, int | float | None]:
    """The fields of `Counts` from a row of sums."""
    found: dict[str, int] = {name: int(record[name] or 0) for name in SUMS}
    named = sum(found[f"bounced_{kind}"] for kind in ("address", "block", "full"))
    return {
        **found,
        "bounced_other": found["bounced"] - named,
        "delivery_rate": _rate(found["delivered"], found["relayed"]),
        "bounce_rate": _rate(found["bounced"], found["relayed"]),
        "complaint_rate": _rate(found["complaints"], found["delivered"]),
    }


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
