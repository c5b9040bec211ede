"""What mailboxes sent and may send, from the ledger's counts and the plan's limits.

Reading takes part in no decision: the next one may differ by what goes meanwhile.
"""

from collections.abc import Iterable

import msgspec

from control.plan.mailbox import mailbox_limits
from control.plan.rows import MailboxRow
from policy.isotime import date_of, instant, not_before
from policy.ledger.admin import LedgerAdmin
from policy.ledger.mailboxes import records
from policy.limits import DAY, day_of
from policy.mailbox import Record, gap_of, least_of, most_of, rate_of, stage_of, terms_of
from policy.model import MailboxLimits, Tenant


class MailboxView(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox, what it sent today (recipients), and what it may."""

    tenant: str
    address: str
    added: bool
    """False: it was discovered with its first message."""
    limits: MailboxRow | None
    """Its own; null takes the tenant's. None: it has none."""
    sent: int
    sent_yesterday: int
    most: int | None
    """Recipients it may send today; null: any number."""
    limit: str
    """What says so: `mailbox_max` or `mailbox_ramp`; empty: nothing."""
    stage: int
    """Of its ramp, from 1; 0: it has none."""
    stages: int
    least: int
    """Recipients it should send today."""
    behind: int
    """Recipients missing to that."""
    first: str
    """Day it began, `2026-03-01`; empty: it has not sent yet."""
    last: str
    """When it sent last; empty: not for long, or never."""
    next: str
    """When it may send next, by its own limits; empty: now, or never."""
    never: str = ""
    """Why it may never send, as its limits are; empty: it may."""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what the ledger knows, in no order; one that sends meanwhile may come twice."""

    mailboxes: list[MailboxView]
    cursor: str | None
    """For the next part; null: this was the last."""


async def standing(
    admin: LedgerAdmin, tenant: Tenant, rows: Iterable[MailboxRow], address: str = ""
) -> list[MailboxView]:
    """Of mailboxes with limits of their own, and of `address`. Raises redis-py's errors."""
    own = {row.address: row for row in rows}
    names = list(own) or [address]
    now, _ = await admin.now()
    found = await records(admin.client, admin.root, tenant.name, names, day_of(now))
    return [
        view(tenant, name, own.get(name), record, now)
        for name, record in zip(names, found, strict=True)
    ]


def view(
    tenant: Tenant, address: str, row: MailboxRow | None, record: Record | None, now: int
) -> MailboxView:
    """Pure. `now` in calendar milliseconds."""
    today = day_of(now)
    own: MailboxLimits | None = None if row is None else mailbox_limits(row)
    terms = terms_of(tenant, own)
    first, sent, last = (
        (today, 0, 0) if record is None else (record.first, record.count, record.last)
    )
    most, by_ramp = most_of(terms, first, today)
    least = least_of(terms, first, today)
    free = last + gap_of(terms, address, last) if last else 0
    if most is not None and sent >= most:
        free = max(free, (today + 1) * DAY)
    never = nothing(tenant, own)
    return MailboxView(
        tenant=tenant.name,
        address=address,
        added=row is not None,
        limits=row,
        sent=sent,
        sent_yesterday=0 if record is None else record.before,
        most=most,
        limit="" if most is None else "mailbox_ramp" if by_ramp else "mailbox_max",
        stage=stage_of(terms, first, today),
        stages=len(terms.ramp),
        least=least,
        behind=max(least - sent, 0),
        first="" if record is None else date_of(record.first),
        last=instant(last) if last else "",
        next=not_before(free) if free > now and not never else "",
        never=never,
    )


def nothing(tenant: Tenant, own: MailboxLimits | None) -> str:
    """The limit of 0 that lets a mailbox send nothing, until somebody changes it; empty: none."""
    rate = rate_of(tenant, own)
    named = {
        "daily maximum": terms_of(tenant, own).most,
        "limit of a minute": rate.minute,
        "limit of an hour": rate.hour,
    }
    return next((f"its {name} is 0" for name, most in named.items() if most == 0), "")
