"""What all removals share: their options, and how they say what went."""

from typing import Annotated

import typer

from control.cli.change import change
from control.plan.changed import Changed, Removed
from control.terminal.show import say

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
    query |= {"reason": reason or None, "force": "1" if force else None}
    done, kind = f"{what} removed", Changed[Removed]
    change(
        context,
        "DELETE",
        path,
        None,
        kind,
        done,
        dry_run=dry_run,
        show=_also,
        null=None,
        match="",
        seen=False,
        **query,
    )


def _also(view: Removed) -> None:
    for noun, names in view.also.items():
        say(f"with it: {noun} {', '.join(names)}")
