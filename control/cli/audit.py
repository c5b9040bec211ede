"""`sendgate audit list`: who changed what, when and why."""

from typing import Annotated, Any

import msgspec
import typer

from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say, table
from control.users.audit import AuditPage

app = typer.Typer(no_args_is_help=True, help="Who changed what, when and why.")


@app.callback()
def audit() -> None:
    """Without it, the only command would be `audit` itself."""


@app.command("list")
def list_(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option(help="A tenant, an IP, a message id, …")] = None,
    who: Annotated[str | None, typer.Option(help="A token's name, or `command line`.")] = None,
    action: Annotated[str | None, typer.Option(help="ip.set, or ip for all of them.")] = None,
    since: Annotated[str | None, typer.Option(help="ISO time, UTC.")] = None,
    before: Annotated[int | None, typer.Option(min=1, help="Where the page before ended.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """Newest first."""
    line = line_of(context)
    page = Client(line).get(
        "/api/v2/audit",
        AuditPage,
        subject=subject,
        who=who,
        action=action,
        since=since,
        before=None if before is None else str(before),
        limit=str(limit),
    )
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
