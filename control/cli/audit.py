"""`sendgate audit list`: who changed what, when and why."""

import io
import sys
from csv import writer
from typing import Annotated, Any

import msgspec
import typer

from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, part_of
from control.terminal.show import as_json, line_of, say, table
from control.users.audit import AuditEntry, AuditPage, AuditQuery

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


def as_csv(entries: list[AuditEntry]) -> str:
    """With a head. A text that a spreadsheet would calculate has a quote before it."""
    text = io.StringIO()
    rows = writer(text, lineterminator="\n")
    rows.writerow(AuditEntry.__struct_fields__)
    for entry in entries:
        values = [getattr(entry, field) for field in AuditEntry.__struct_fields__]
        rows.writerow([_cell(value) for value in values])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    written = _text(value)
    return f"'{written}" if written.startswith(("=", "+", "-", "@", "\t")) else written


def change(before: Any, after: Any) -> str:
    """Field by field; what was not there before has no arrow."""
    if not isinstance(after, dict):
        return _text(after) if after is not None else ""
    old = before if isinstance(before, dict) else {}
    return ", ".join(
        f"{key} {_text(old[key])} → {_text(value)}" if key in old else f"{key} {_text(value)}"
        for key, value in after.items()
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
