"""Who changed what, when and why, as it was written down with each change."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from control.problem import bad
from control.values.query import FoundText, Limit, Seen
from control.values.time import TimeText, moment
from control.values.wanted import meant
from policy.isotime import instant_of
from policy.model import Name
from settings.statements import statements

_TRIGGERS = ("audit_log_stays", "audit_log_stays_whole")

_SQL = statements(__package__, "audit")

Kind = Literal["user", "console", "token", "job", "warm-up", "command", "control"]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change."""

    id: int
    at: str
    who: str
    """A user's name, a token's, `command line`, `control`, …"""
    kind: str
    """user, console (a user in the browser), token, job, warm-up, command or control; empty before
    that was written down."""
    source: str
    """The address it was asked from; empty: from none outside."""
    action: str
    """`ip.set`, `tenant.pause`, …"""
    subject: str
    tenant: str | None = None
    """Whose it is; null: nobody's alone, or it is from before that was written down."""
    before: Any
    """What it changed, as it was; null: nothing was there."""
    after: Any
    reason: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Changes, newest first."""

    entries: list[AuditEntry]
    before: int | None
    """To be given as `before` for the next page; null: this is the last."""


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    tenant: Annotated[Name | None, meant("Only of what is this tenant's.")] = None

    subject: Annotated[
        FoundText | None,
        meant("Only this one, or what stands after it and a slash: a tenant, an IP, a message id."),
    ] = None
    who: Annotated[
        FoundText | None,
        meant("Only by this user or token, or part of ours such as `command line`."),
    ] = None
    kind: Annotated[Kind | None, meant("Only by this kind of asker.")] = None
    source: Annotated[FoundText | None, meant("Only from this address.")] = None
    action: Annotated[
        FoundText | None, meant("Only this one (ip.set), or all of its noun (ip).")
    ] = None
    since: Annotated[TimeText | None, meant("ISO time, UTC when it names no zone.")] = None
    until: Annotated[TimeText | None, meant("ISO time: only before it.")] = None
    text: Annotated[
        FoundText | None,
        meant("Only with this in subject, values or reason; name others beside it: it reads rows."),
    ] = None
    before: Annotated[Seen | None, meant("The `before` of the page before.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


async def audit_page(pool: Any, wanted: AuditQuery, *, own: bool = False) -> AuditPage:
    """Newest first; `own`: its tenant asks itself. Raises RefusedError."""
    if own and wanted.source is not None:
        raise bad("source", "addresses are shown to who sees all tenants: leave it out")
    since = None if wanted.since is None else moment(wanted.since, "since")
    until = None if wanted.until is None else moment(wanted.until, "until")
    rows = await pool.fetch(
        _SQL["list"],
        *(wanted.subject, wanted.who, wanted.action, since, wanted.before or None),
        *(wanted.limit + 1, wanted.kind, wanted.source, until, wanted.text),
        *(wanted.tenant, own),
    )
    entries = [
        AuditEntry(**(dict(row) | {"at": instant_of(row["at"])})) for row in rows[: wanted.limit]
    ]
    return AuditPage(entries=entries, before=entries[-1].id if len(rows) > wanted.limit else None)


async def found_slowly(pool: Any) -> list[str]:
    """What keeps texts from being found fast, a sentence."""
    if await pool.fetchval(_SQL["found_fast"]):
        return []
    why = "the audit log has no index audit_log_text: `audit list --text` reads all its rows"
    return [f"{why} (deploy/runbook/people.md: pg_trgm)"]


async def kept(pool: Any) -> tuple[list[str], list[str]]:
    """(problems, warnings): whether rows can be changed or taken away, and whether the role that
    asks may see to it that they can. A sentence each."""
    row = await pool.fetchrow(_SQL["kept"], list(_TRIGGERS))
    if row["gone"]:
        names = " and ".join(row["gone"])
        lost = f"the audit log lost its trigger {names}: its rows can be changed"
        return [f"{lost}; find out who did that, and make it again as schema 0065 has it"], []
    if row["super"] or row["owns"]:
        why = "is a superuser" if row["super"] else f"owns {', '.join(row['owns'])}"
        can = "audit log: whoever has the password of database.url can change its rows"
        fix = "deploy/runbook/people.md: an audit log of another owner"
        return [], [f"{can}, for {row['role']} {why} ({fix})"]
    return [], []


async def forget(pool: Any, before: datetime) -> int:
    """Takes away what is older, but nothing of the last thirty days; how many."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["say"], before.isoformat())
        done: str = await connection.execute(_SQL["forget"], before)
    return int(done.rpartition(" ")[2])
