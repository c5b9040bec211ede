"""`sendgate warmup consolidate|days`: days that are over, from the ledger to PostgreSQL."""

from typing import Annotated

import typer

from control.consolidation.view import DayRow, DayView
from control.terminal.client import PART, Client
from control.terminal.parts import All, part_of, say_more
from control.terminal.show import as_json, line_of, say, table

PATH = "/api/v2/days"


def consolidate(
    context: typer.Context,
    day: Annotated[
        str | None, typer.Option(help="A date such as 2026-03-01; without it, yesterday.")
    ] = None,
) -> None:
    """Take a day that is over from the ledger to PostgreSQL and compare it with accounting, as the
    job does at 00:30 UTC. Again it changes nothing."""
    line = line_of(context)
    done = Client(line).send("POST", f"{PATH}/consolidate", None, DayView, day=day)
    as_json(done) if line.json else _days([done])


def days(
    context: typer.Context,
    day: Annotated[str | None, typer.Option(help="This one, by IP and provider.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="How many days; without it 31.")
    ] = None,
    every: All = False,
) -> None:
    """Consolidated days: what the ledger counted, and what accounting says of it."""
    line = line_of(context)
    if day is None:
        client = Client(line)
        found = part_of(client, PATH, list[DayView], {"limit": limit}, every=every)
        if line.json:
            as_json(found)
            return
        _days(found)
        say_more(client)
        return
    client, rows = Client(line), list[DayRow]()
    while part := client.get(
        f"{PATH}/{day}", list[DayRow], after=rows[-1].ip if rows else None, limit=PART
    ):
        rows += part
    if line.json:
        as_json(rows)
        return
    if not rows:
        say(f"nothing was sent on {day}")
        return
    table(
        ("IP", "provider", "sent", "delivered", "bounced", "complaints", "deferred"),
        (
            (r.ip, r.provider or None, r.sent, r.delivered, r.bounced, r.complaints, r.deferred)
            for r in rows
        ),
    )


def _days(found: list[DayView]) -> None:
    if not found:
        say("no day was consolidated yet: the job does it at 00:30 UTC (`sendgate job list`)")
        return
    table(
        ("day", "sent", "compared", "accounting", "difference", "compared at", "let go"),
        (
            (
                *(d.day, d.sent, d.compared, d.accounted),
                f"{d.difference}, look into it" if d.alarming else d.difference,
                *(d.at, d.cleared),
            )
            for d in found
        ),
    )
