"""`sendgate stats`: what became of mail, in sums."""

from typing import Annotated

import typer

from control.statistics.row import Counts, Row, StatisticsPage
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say, table

_KEYS = ("day", "tenant", "ip", "campaign", "provider", "mailbox")
_PATH = "/api/v2/statistics"


def stats(
    context: typer.Context,
    first: Annotated[
        str | None, typer.Option("--from", help="First day, such as 2026-03-01; six before --to.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day; today.")] = None,
    by: Annotated[
        str | None,
        typer.Option(help=f"What rows are of, with commas between: {', '.join(_KEYS)}; ip."),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    ip: Annotated[str | None, typer.Option(help="Only of this IP.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only of this campaign.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only to this provider.")] = None,
    mailbox: Annotated[str | None, typer.Option(help="Only of this mailbox.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 1_000,
    offset: Annotated[int, typer.Option(min=0, help="Rows to pass over.")] = 0,
) -> None:
    """Relayed, delivered, bounced, deferred, complained of: of today and of seven days, or of the
    days asked for. A day is the one the mail was granted in (UTC); records that come later change
    it."""
    line = line_of(context)
    client = Client(line)

    def page(since: str | None, until: str | None) -> StatisticsPage:
        return client.get(
            _PATH,
            StatisticsPage,
            **{"from": since, "to": until, "by": by, "tenant": tenant, "ip": ip},
            campaign=campaign,
            provider=provider,
            mailbox=mailbox,
            limit=str(limit),
            offset=str(offset),
        )

    found = page(first, last)
    if line.json:
        as_json(found)
        return
    if first is None and last is None and (by is None or "day" not in by.split(",")):
        _shown(page(found.last, found.last))
    _shown(found)


def _shown(page: StatisticsPage) -> None:
    days = page.first if page.first == page.last else f"{page.first} to {page.last}"
    if not page.rows:
        say(f"{days}: PowerMTA told of no mail")
        return
    table(
        (
            *page.by,
            *("relayed", "delivered", "%", "bounced", "%", "address", "block", "full", "other"),
            *("expired", "deferrals", "complaints", "%"),
        ),
        (
            *((*(getattr(row, key) or "-" for key in page.by), *_counts(row)) for row in page.rows),
            (*("all" if at == 0 else "" for at, _ in enumerate(page.by)), *_counts(page.total)),
        ),
        title=days,
    )
    if page.more is not None:
        say(f"more: --offset {page.more}")


def _counts(row: Row | Counts) -> tuple[object, ...]:
    return (
        *(row.relayed, row.delivered, _percent(row.delivery_rate)),
        *(row.bounced, _percent(row.bounce_rate)),
        *(row.bounced_address, row.bounced_block, row.bounced_full, row.bounced_other),
        *(row.expired, row.deferred, row.complaints, _percent(row.complaint_rate)),
    )


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2%}"
