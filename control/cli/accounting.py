"""`sendgate accounting …`: what PowerMTA tells, as it is read and as it is posted."""

from typing import Annotated

import typer

from control.accounting.forgetting import ForgettingView
from control.accounting.inbox import InboxState
from control.accounting.setaside import (
    Again,
    Retried,
    SetAsidePage,
    SetAsideQuery,
    SetAsideView,
)
from control.accounting.status import StreamView
from control.bypass.view import BypassView
from control.cli import importing
from control.terminal.client import Client
from control.terminal.options import Body, filters
from control.terminal.parts import All, Limit, listed, part_of
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused
from policy.isotime import instant
from policy.number import agree, count

app = typer.Typer(no_args_is_help=True, help="PowerMTA's accounting: files, posted batches.")
app.command("import")(importing.import_)
app.command()(importing.imports)


@app.command()
def status(context: typer.Context) -> None:
    """How far every stream has been read."""
    line = line_of(context)
    found = Client(line).pages("/api/v2/accounting", StreamView)
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
                f"{instant(s.gap_at)} {s.gap}" if s.gap_at else None,
            )
            for s in found
        ),
    )
    for stream in found:
        if stream.problem:
            say(f"warning: {stream.server}: {stream.problem}")


@app.command()
def inbox(context: typer.Context) -> None:
    """Posted batches that wait to be taken in."""
    line = line_of(context)
    found = Client(line).get("/api/v2/accounting/inbox", InboxState)
    if line.json:
        as_json(found)
        return
    since = f", the oldest since {instant(found.oldest)}" if found.oldest else ""
    say(
        f"{count(found.waiting, 'batch')} {agree(found.waiting, 'waits', 'wait')} "
        f"({found.octets} of {found.most} octets){since}"
    )
    if found.stuck:
        say(
            f"{found.stuck} of them could not be taken in: see the log of control, then "
            "`sendgate accounting rejected --again`"
        )


@app.command()
def bypass(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, max=366, help="Of so many days, with today's.")] = 2,
    limit: Limit = None,
    every: All = False,
) -> None:
    """Mail on our VirtualMTAs that no gateway handed in: whose it is. It counts for its IPs."""
    line = line_of(context)
    found = listed(Client(line), "/api/v2/accounting/bypass", BypassView, limit, every, days=days)
    if line.json:
        as_json(found)
        return
    if not found:
        say("no mail went around the gateways, as far as accounting was read")
        return
    table(
        ("day", "VirtualMTA", "IP", "login", "source", "job", "recipients", "last", "server"),
        (
            (b.day, b.vmta, b.ip, b.login, b.source, b.job, b.recipients, b.last, b.server)
            for b in found
        ),
    )
    say(
        "Each recipient counts for the IP's day, so that gateways send less there. To end it: send "
        "through a gateway, or keep the source off these VirtualMTAs in PowerMTA's configuration. "
        "Where the source is a gateway, PowerMTA drops its envelope ids: `process-x-envid yes`."
    )


@app.command()
def forgetting(context: typer.Context, limit: Limit = None, every: All = False) -> None:
    """Addresses that are taken out of what is kept (`sendgate forget`), and how far that is."""
    line = line_of(context)
    found = listed(Client(line), "/api/v2/accounting/forgetting", ForgettingView, limit, every)
    if line.json:
        as_json(found)
        return
    table(
        ("id", "at", "who", "tenant", "step", "looked", "of", "changed", "damaged", "finished"),
        (
            (
                *(one.id, one.at, one.who, one.tenant, one.step, one.looked, one.pieces),
                *(one.changed, one.unread, one.finished or None),
            )
            for one in found
        ),
    )


@app.command()
@filters(Again, named={"ids": "--id"}, into="only")
@filters(SetAsideQuery, into="query")
def rejected(
    context: typer.Context,
    query: Body,
    only: Body,
    again: Annotated[
        bool, typer.Option("--again", help="Take them in once more, after a mend.")
    ] = False,
    every: All = False,
) -> None:
    """Records that could not be read: where they stood, why not, and their text."""
    line = line_of(context)
    client = Client(line)
    if again:
        if query or every:
            raise misused("--again takes in all that --id names, or all there are: no part of them")
        done = client.send("POST", f"{_REJECTED}/again", only, Retried)
        if line.json:
            as_json(done)
            return
        say(
            f"{done.taken} taken in, {done.repeated} had counted before, "
            f"{done.rejected} still cannot be read"
        )
        return
    parts = [{"after": max(0, number - 1), "limit": 1} for number in only.get("ids", ())]
    pages = [
        part_of(client, _REJECTED, SetAsidePage, part, every=every and not only, rows="rejected")
        for part in parts or [query]
    ]
    shown = [one for page in pages for one in page.rejected]
    if only:
        shown = [one for one in shown if one.id in only["ids"]]
    if line.json:
        as_json(shown)
        return
    table(("id", "came", "times", "server", "where", "why", "text"), map(_row, shown))
    if pages[0].total > len(shown):
        more = "" if only or not shown else f"; more: --after {shown[-1].id}"
        say(f"{pages[0].total} in all{more}")


def _row(one: SetAsideView) -> tuple[object, ...]:
    text = one.raw if len(one.raw) <= _SHOWN else one.raw[:_SHOWN] + "…"
    return (one.id, one.came, one.times, one.server, one.place, one.why, text)


_SHOWN = 120
_REJECTED = "/api/v2/accounting/rejected"
