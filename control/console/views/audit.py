"""The audit log: who changed what, when, from where and why."""

from collections.abc import Mapping
from typing import Any

from yarl import URL

from control.console.page import File, Page
from control.console.visit import Visit
from control.users.audit import AuditEntry, AuditPage
from control.users.auditcsv import as_csv

AUDIT = ("GET", "/api/v2/audit")
FILTERS = ("who", "action", "subject", "tenant", "text", "kind", "source", "since", "until")
KINDS = ("user", "console", "token", "job", "warm-up", "command", "control")
PART = 100
KEPT = 10_000
"""Changes in a file; `sendgate audit list --all --csv` has no bound."""
LOOK = 1_000


async def view(visit: Visit) -> Mapping[str, Any]:
    """What the filters of the query match, the newest first."""
    filters = {name: visit.query.get(name, "").strip() for name in FILTERS}
    asked = {**filters, "limit": PART, "after": visit.query.get("after")}
    found: AuditPage
    found, after = await visit.listed(*AUDIT, query=asked)
    return {
        "filters": filters,
        "filtered": any(filters.values()),
        "kinds": KINDS,
        "entries": [
            {"one": one, "changes": changes(one.before, one.after)} for one in found.entries
        ],
        "after": after,
        "kept": KEPT,
        "csv": str(URL("/audit.csv").with_query({n: t for n, t in filters.items() if t})),
        "everybody": visit.holder.tenants is None,
    }


async def csv(visit: Visit) -> str:
    """The same as CSV, the first so many."""
    filters = {name: visit.query.get(name, "").strip() for name in FILTERS}
    entries: list[AuditEntry] = []
    after = ""
    while len(entries) < KEPT:
        found: AuditPage
        query = {**filters, "limit": LOOK, "after": after}
        found, after = await visit.listed(*AUDIT, query=query)
        entries += found.entries
        if not after:
            break
    return as_csv(entries)


def changes(before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    """(field, what it was, what it is); one that was not there was None."""
    old = before if isinstance(before, dict) else {}
    new = after if isinstance(after, dict) else {}
    if not old and not new:
        return [("", before, after)] if before is not None or after is not None else []
    return [(key, old.get(key), new.get(key)) for key in {**old, **new}]


PAGE = Page(
    path="/audit",
    title="Audit log",
    menu="Audit",
    template="audit.html",
    view=view,
    needs=AUDIT,
    file=File(".csv", "text/csv", csv),
)
