"""`sendgate stats`: what became of mail, in sums."""

import shlex

import typer

from control.statistics.question import StatisticsQuery
from control.statistics.row import Counts, Row, StatisticsPage
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, part_of
from control.terminal.show import as_json, line_of, say, table

_PATH = "/api/v2/statistics"


@filters(StatisticsQuery)
def stats(context: typer.Context, query: Body, every: All = False) -> None:
    """Relayed, delivered, bounced, deferred, complained of: of today and of seven days, or of the
    days asked for. A day is the one the mail was granted in (UTC); records that come later change
    it."""
    line = line_of(context)
    client = Client(line)
    asked = {"with": "total", **query}
    found = part_of(client, _PATH, StatisticsPage, asked, every=every, rows="rows")
    if line.json:
        as_json(found)
        return
    if not query.keys() & {"from", "to"} and "day" not in found.by:
        today = {"from": found.last, "to": found.last}
        _shown(client.get(_PATH, StatisticsPage, **asked, **today))
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
            *(
                (*("all" if at == 0 else "" for at, _ in enumerate(page.by)), *_counts(total))
                for total in (page.total,)
                if total is not None
            ),
        ),
        title=days,
    )
    if page.more is not None:
        say(f"more: --after {shlex.quote(page.more)}")


def _counts(row: Row | Counts) -> tuple[object, ...]:
    return (
        *(row.relayed, row.delivered, _percent(row.delivery_rate)),
        *(row.bounced, _percent(row.bounce_rate)),
        *(row.bounced_address, row.bounced_block, row.bounced_full, row.bounced_other),
        *(row.expired, row.deferred, row.complaints, _percent(row.complaint_rate)),
    )


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2%}"
