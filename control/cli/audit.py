"""`sendgate audit list`: who changed what, when and why."""

import sys
from typing import Annotated, Any

import typer

from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, part_of
from control.terminal.show import as_json, line_of, say, table
from control.users.audit import AuditPage, AuditQuery
from control.users.auditcsv import as_csv, as_text

app = typer.Typer(no_args_is_help=True, help="Who changed what, when and why.")


@app.callback()
def audit() -> None:
    """Without it, the only command would be `audit` itself."""


@app.command("list")
@filters(AuditQuery)
def list_(
    context: typer.Context,
    query: Body,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, for a spreadsheet.")] = False,
    every: All = False,
) -> None:
    """Newest first."""
    line = line_of(context)
    page = part_of(Client(line), PATH, AuditPage, query, every=every, rows="entries")
    entries = page.entries
    if csv:
        sys.stdout.write(as_csv(entries))
        return
    if line.json:
        as_json(page)
        return
    table(
        ("id", "at", "who", "from", "action", "subject", "change", "reason"),
        (
            (
                *(e.id, e.at, f"{e.kind} {e.who}".strip(), e.source or "-"),
                *(e.action, e.subject, change(e.before, e.after), e.reason),
            )
            for e in entries
        ),
    )
    if page.before is not None:
        say(f"more: --before {page.before}")


PATH = "/api/v2/audit"


def change(before: Any, after: Any) -> str:
    """Field by field; what was not there before has no arrow."""
    if not isinstance(after, dict):
        return as_text(after) if after is not None else ""
    old = before if isinstance(before, dict) else {}
    return ", ".join(
        f"{key} {as_text(old[key])} → {as_text(value)}" if key in old else f"{key} {as_text(value)}"
        for key, value in after.items()
    )
