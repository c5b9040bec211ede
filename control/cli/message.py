"""`sendgate message list`: what became of messages."""

from typing import Annotated

import typer

from control.messages.outcome import MessagePage
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="What became of messages, live and held.")


@app.callback()
def message() -> None:
    """Without it, the only command would be `message` itself."""


@app.command("list")
def list_(
    context: typer.Context,
    to: Annotated[str | None, typer.Option(help="To this address, in any language.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant.")] = None,
    message: Annotated[str | None, typer.Option(help="Message id or envelope id.")] = None,
    since: Annotated[str | None, typer.Option(help="ISO time, UTC.")] = None,
    before: Annotated[str | None, typer.Option(help="Where the page before ended.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """Newest first, some two seconds after the answer; kept for control.outcomes_kept."""
    line = line_of(context)
    page = Client(line).get(
        "/api/v2/messages",
        MessagePage,
        to=to,
        tenant=tenant,
        message=message,
        since=since,
        before=before,
        limit=str(limit),
    )
    if line.json:
        as_json(page)
        return
    table(
        ("at", "message", "tenant", "recipient", "outcome", "waits", "VirtualMTA", "why"),
        (
            (m.at, m.message, m.tenant, m.recipient, m.outcome, m.waits or "-", m.vmta, m.why)
            for m in page.messages
        ),
    )
    if page.before is not None:
        say(f"more: --before {page.before}")
