"""`sendgate accounting …`: the reading of PowerMTA's accounting."""

from datetime import UTC, datetime

import typer

from control.accounting.status import StreamView
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say, table

app = typer.Typer(no_args_is_help=True, help="The reading of PowerMTA's accounting files.")


@app.callback()
def accounting() -> None:
    """Without it, the only command would be `accounting` itself."""


@app.command()
def status(context: typer.Context) -> None:
    """How far every stream has been read."""
    line = line_of(context)
    found = Client(line).get("/api/v2/accounting", list[StreamView])
    if line.json:
        as_json(found)
        return
    if not found:
        say(
            "no accounting is read: doubt waits for an operator; name PowerMTA's files in "
            "[accounting] (see `streams`)"
        )
        return
    table(
        (
            "server",
            "file",
            "position",
            "behind",
            "age",
            "records",
            "receipts",
            "skipped",
            "last gap",
        ),
        (
            (
                s.server,
                s.file or s.path,
                s.position,
                s.behind,
                None if s.age is None else f"{s.age:.0f} s",
                s.records,
                s.received,
                s.skipped,
                f"{_time(s.gap_at)} {s.gap}" if s.gap_at else None,
            )
            for s in found
        ),
    )
    for stream in found:
        if stream.problem:
            say(f"warning: {stream.server}: {stream.problem}")


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
