"""Who changed what, when and why, as it was written down with each change."""

from datetime import datetime
from typing import Any

import msgspec

from policy.isotime import instant_of
from settings.statements import statements

_SQL = statements(__package__, "audit")


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change."""

    id: int
    at: str
    who: str
    """A token's name, `command line`, `control`, …"""
    action: str
    """`ip.set`, `tenant.pause`, …"""
    subject: str
    before: Any
    """What it changed, as it was; null: nothing was there."""
    after: Any
    reason: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Changes, newest first."""

    entries: list[AuditEntry]
    before: int | None
    """To be given as `before` for the next page; null: this is the last."""


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Every one that is given must match."""

    subject: str | None = None
    who: str | None = None
    action: str | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int = 100


async def audit_page(pool: Any, wanted: AuditFilter) -> AuditPage:
    """Newest first."""
    rows = await pool.fetch(
        _SQL["list"],
        *(wanted.subject, wanted.who, wanted.action, wanted.since, wanted.before),
        wanted.limit + 1,
    )
    entries = [
        AuditEntry(**(dict(row) | {"at": instant_of(row["at"])})) for row in rows[: wanted.limit]
    ]
    return AuditPage(entries=entries, before=entries[-1].id if len(rows) > wanted.limit else None)
