"""The audit log: who changed what, when, from where and why."""

from collections.abc import Mapping
from typing import Any

from control.console.page import Page
from control.console.visit import Visit
from control.users.audit import AuditPage

AUDIT = ("GET", "/api/v2/audit")
FILTERS = ("who", "action", "subject", "tenant", "text", "kind", "source", "since", "until")
KINDS = ("user", "console", "token", "job", "warm-up", "command", "control")
PART = 100


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
        "everybody": visit.holder.tenants is None,
    }


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
)
