"""Suppressions: who gets no mail any more, of one tenant or of all; added, removed, taken in.

Rule: a list is pasted, a row a line, and shown first for what would become of it: the same list
again changes nothing.
"""

import csv
from collections.abc import Mapping
from typing import Any, get_args

from control.console.page import Action, Done, Page
from control.console.told import trying
from control.console.visit import Visit
from control.problem import bad
from control.suppressions.entry import AT_ONCE
from control.suppressions.suppressions import Imported, Origin, Suppressed, SuppressionPage
from policy.suppression import REASONS

PATH = "/api/v2/suppressions"
PART = 100
FILTERS = ("address", "reason", "origin", "ended", "everybody")
COLUMNS = ("address", "reason", "until", "note")
REFUSED = 20
"""Rows of a list that are named one by one."""


async def view(visit: Visit) -> Mapping[str, Any]:
    """The latest change first."""
    filters = {name: visit.query.get(name, "").strip() for name in FILTERS}
    query = filters | {"limit": PART, "after": visit.query.get("after")}
    found: SuppressionPage
    found, after = await visit.listed("GET", PATH, query=query)
    return {
        "found": found.suppressions,
        "after": after,
        "filters": filters | {"tenant": visit.query.get("tenant", "")},
        "filtered": any(filters.values()) or bool(visit.query.get("tenant")),
        "reasons": sorted(REASONS),
        "origins": get_args(Origin),
        "most": AT_ONCE,
    }


async def add(visit: Visit) -> Done:
    """Tried first."""
    body = visit.given("address", "tenant", "reason", "until", "note")
    done: Suppressed = await visit.ask(
        "POST", PATH, query=trying(visit) | {"by": "hand"}, body=body
    )
    one = done.suppression
    whose = f"of tenant {one.tenant}" if one.tenant else "of all tenants"
    if not done.changed:
        return Done(f"{one.address} gets no mail {whose} already: nothing was changed.")
    would = "would get" if done.dry_run else "gets"
    ends = f" until {one.until}" if one.until else ""
    return Done(f"{one.address} {would} no mail {whose} any more{ends} ({one.reason}).")


async def remove(visit: Visit) -> Done:
    """It gets mail again; why stands in the audit log. Tried first."""
    if not visit.form.get("reason", "").strip():
        raise bad("reason", "is missing: say why it may get mail again")
    query = trying(visit) | visit.given("address", "tenant", "reason")
    # Without one it is that of all tenants, not the first of who asks.
    done: Suppressed = await visit.ask("DELETE", PATH, query=query)
    one = done.suppression
    whose = f"of tenant {one.tenant}" if one.tenant else "of all tenants"
    would = "would get" if done.dry_run else "gets"
    return Done(f"{one.address} {would} mail {whose} again.")


async def take(visit: Visit) -> Done:
    """A pasted list; tried first."""
    rows = read(visit.form.get("list", ""))
    body = visit.given("tenant") | {"rows": rows}
    done: Imported = await visit.ask("POST", f"{PATH}/import", query=trying(visit), body=body)
    would = "would be " if done.dry_run else ""
    said = (
        f"Of {len(rows):,} rows {done.added:,} {would}added, {done.changed:,} {would}changed, "
        f"{done.unchanged:,} are there already, {len(done.refused):,} cannot be taken."
    )
    notes = [f"row {one.row + 1}: {one.why}" for one in done.refused[:REFUSED]]
    more = len(done.refused) - REFUSED
    return Done(said, notes=(*notes, *((f"and {more:,} more",) if more > 0 else ())))


def read(text: str) -> list[dict[str, str]]:
    """An address a line, or CSV of address, reason, until, note, with or without such a header.
    Raises RefusedError."""
    try:
        lines = [row for row in csv.reader(text.splitlines()) if any(one.strip() for one in row)]
    except csv.Error as error:
        raise bad("list", f"is no CSV: {error}") from None
    if not lines:
        raise bad("list", "is empty: paste an address a line")
    columns: tuple[str, ...] = COLUMNS
    first = tuple(one.strip().lower() for one in lines[0])
    if "address" in first or "email" in first:
        columns = tuple("address" if one == "email" else one for one in first)
        lines = lines[1:]
    if len(lines) > AT_ONCE:
        raise bad(
            "list",
            f"has {len(lines):,} rows, at most {AT_ONCE:,} at once: give it in parts, or whole to "
            "`sendgate suppression import`",
        )
    return [
        {name: value for name, value in zip(columns, row, strict=False) if name in COLUMNS}
        for row in lines
    ]


PAGE = Page(
    path="/suppressions",
    title="Suppressions",
    menu="Suppressions",
    template="suppressions.html",
    view=view,
    needs=("GET", PATH),
    actions={
        "add": Action(("POST", PATH), add, "Let it get no mail", tried=True),
        "remove": Action(
            *(("DELETE", PATH), remove, "Let it get mail again"),
            tried=True,
            unseen="whose address it is is typed, and its trial says what there is",
        ),
        "import": Action(("POST", f"{PATH}/import"), take, "Take the list in", tried=True),
    },
)
