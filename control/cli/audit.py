"""`sendgate audit list`: who changed what, when and why."""

from typing import Any

import msgspec
import typer

from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.show import as_json, line_of, say, table
from control.users.audit import AuditPage, AuditQuery

app = typer.Typer(no_args_is_help=True, help="Who changed what, when and why.")


@app.callback()
def audit() -> None:
    """Without it, the only command would be `audit` itself."""


@app.command("list")
@filters(AuditQuery)
def list_(context: typer.Context, query: Body) -> None:
    """Newest first."""
    line = line_of(context)
    page = Client(line).get("/api/v2/audit", AuditPage, **query)
    if line.json:
        as_json(page)
        return
    table(
        ("id", "at", "who", "action", "subject", "change", "reason"),
        (
            (e.id, e.at, e.who, e.action, e.subject, change(e.before, e.after), e.reason)
            for e in page.entries
        ),
    )
    if page.before is not None:
        say(f"more: --before {page.before}")


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
