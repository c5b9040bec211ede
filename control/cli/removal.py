"""What all removals share: their options, and how they say what went."""

from typing import Annotated

import typer

from control.plan.changed import Changed, Removed
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, said, say

Dry = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, change nothing.")]
Force = Annotated[
    bool, typer.Option("--force", help="Although it is risky: the refusal says what is risked.")
]
Reason = Annotated[str, typer.Option(help="For the audit log.")]


def removed(
    context: typer.Context,
    path: str,
    what: str,
    dry_run: bool,
    force: bool,
    reason: str,
    **query: str | None,
) -> None:
    """DELETE `path` and say what went with it. Raises RefusedError with what is in the way."""
    line = line_of(context)
    query["reason"] = reason or None
    if force:
        query["force"] = "1"
    changed = Client(line).send("DELETE", path, None, Changed[Removed], dry_run=dry_run, **query)
    if line.json:
        as_json(changed)
        return
    said(changed, f"{what} removed")
    for noun, names in changed.view.also.items():
        say(f"with it: {noun} {', '.join(names)}")
