"""`sendgate message list`: what became of messages."""

import typer

from control.messages.outcome import MessagePage
from control.messages.search import MessageQuery
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, part_of
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="What became of messages, live and held.")


@app.callback()
def message() -> None:
    """Without it, the only command would be `message` itself."""


@app.command("list")
@filters(MessageQuery)
def list_(context: typer.Context, query: Body, every: All = False) -> None:
    """Newest first, some two seconds after the answer; kept for control.outcomes_kept."""
    line = line_of(context)
    page = part_of(
        *(Client(line), "/api/v2/messages", MessagePage, query), every=every, rows="messages"
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
