"""`sendgate hold list|show|requests|events`: what waits and what was done about it."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from control.cli.sending import say_stopped
from control.held.content import HeldContent
from control.held.event import HoldEvent
from control.held.filter import HeldQuery, HoldEventQuery, HoldRequestQuery
from control.held.forecast import HoldForecast
from control.held.held import HeldDetail, HeldPage, HeldView, HoldSummary, Part
from control.held.requestview import HoldRequest
from control.held.shortfall import HoldShortfall
from control.problem import RefusedError
from control.store.files import write_private
from control.terminal.client import Client
from control.terminal.invocation import Invocation
from control.terminal.options import Body, filters
from control.terminal.parts import All, part_of, say_more
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused, readable
from policy.number import count

app = typer.Typer(no_args_is_help=True, help="Mail that waits: look, pause, release, drop.")

Tenant = Annotated[str | None, typer.Option(help="Of this tenant.")]


@app.command("list")
@filters(HeldQuery)
def list_(
    context: typer.Context,
    query: Body,
    messages: Annotated[bool, typer.Option("--messages", help="Each one, not the sums.")] = False,
    every: All = False,
) -> None:
    """What waits: how much, whose, why, and when the next may go."""
    line = line_of(context)
    if not messages:
        paging = [name for name in ("limit", "after") if name in query] + ["all"] * every
        if paging:
            raise misused(f"--{paging[0]}: needs --messages; sums have no pages")
        client = Client(line)
        found = client.get("/api/v2/hold", HoldSummary, **query)
        if line.json:
            as_json(found)
            return
        if found.all.messages:
            say_stopped(client)
        _summary(found, some=bool(query))
        return
    page = part_of(
        *(Client(line), "/api/v2/hold/messages", HeldPage, query), every=every, rows="messages"
    )
    if line.json:
        as_json(page)
        return
    _messages(page)
    if page.after:
        say(f"more: --after {page.after}")


@app.command()
def show(
    context: typer.Context,
    message: str,
    headers: Annotated[
        bool, typer.Option("--headers", help="Its header block and size; audited.")
    ] = False,
    content: Annotated[
        Path | None, typer.Option(help="Write the whole message to a file, or - ; audited.")
    ] = None,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
) -> None:
    """Everything about one message; of its content only what is asked for."""
    line = line_of(context)
    readable("MESSAGE", message)
    path = f"/api/v2/hold/messages/{message}"
    if headers and content is not None:
        raise misused(
            "hold show: --content has the headers in it; give one of --headers, --content"
        )
    if headers or content is not None:
        _content(line, path, content, reason)
        return
    found = Client(line).get(path, HeldDetail)
    if line.json:
        as_json(found)
        return
    held = found.held
    rows = [(name, getattr(held, name)) for name in HeldView.__struct_fields__]
    rows += [("key", found.key), ("notify", found.notify), ("orcpt", found.orcpt)]
    if found.content is not None:
        rows += [("sender", found.content.sender), ("kept as", found.content.codec)]
    table(("field", "value"), ((name, value) for name, value in rows if value not in ("", None)))
    if len(found.recipients) > 1:
        table(
            ("recipient", "id", "state", "ending"),
            ((r.recipient, r.id, r.state, r.ending) for r in found.recipients),
        )


def _content(line: Invocation, path: str, file: Path | None, reason: str) -> None:
    part = "headers" if file is None else "whole"
    found = Client(line).get(f"{path}/content", HeldContent, part=part, reason=reason)
    if file is not None and found.content is not None:
        if str(file) == "-":
            sys.stdout.buffer.write(found.content)
            sys.stdout.buffer.flush()
            return
        try:
            write_private(file, found.content)
        except OSError as error:
            raise RefusedError(f"cannot write {file}: {error.strerror}") from error
        found = msgspec.structs.replace(found, content=None)
    if line.json:
        as_json(found)
    elif file is not None:
        say(f"{found.octets} octets written to {file}")
    else:
        say(found.headers.rstrip("\n"))
        say(f"({found.octets} octets in all; --content FILE writes them)")


@app.command()
def forecast(context: typer.Context, tenant: Tenant = None) -> None:
    """When what waits will be gone, at the quotas of today's plan."""
    line = line_of(context)
    client = Client(line)
    found = client.get("/api/v2/hold/forecast", HoldForecast, tenant=tenant)
    if line.json:
        as_json(found)
        return
    say_stopped(client)
    table(
        ("tenant", "pool", "provider", "waiting", "paused", "a day", "days", "gone by"),
        (
            (
                *(r.tenant, r.pool, r.provider, r.waiting, r.paused, r.a_day),
                *("never" if r.days is None else round(r.days, 1), r.gone or "-"),
            )
            for r in found.rows
        ),
    )
    for tenant_name, opens in sorted({(r.tenant, r.opens) for r in found.rows if r.opens}):
        say(f"the sending hours of {tenant_name} begin {opens}")
    say("mail that comes meanwhile, mailbox limits and rates make it later")


@app.command()
def shortfall(context: typer.Context, tenant: Tenant = None) -> None:
    """What mailboxes with mail waiting lack to their daily minimum, the last seven days."""
    line = line_of(context)
    found = Client(line).get("/api/v2/hold/shortfall", HoldShortfall, tenant=tenant)
    if line.json:
        as_json(found)
        return
    if not found.rows:
        say("no mailbox with mail waiting lacks anything to its daily minimum")
        return
    table(
        ("day", "tenant", "pool", "mailboxes", "behind", "missing", "most", "counted"),
        (
            (
                *(f"{r.day}{'' if r.over else ' (so far)'}", r.tenant, r.pool, r.mailboxes),
                *(r.behind, r.missing, r.most, r.counted),
            )
            for r in found.rows
        ),
    )


@app.command()
@filters(HoldRequestQuery)
def requests(context: typer.Context, query: Body, every: All = False) -> None:
    """What was asked for, newest first, and how far it is."""
    line = line_of(context)
    client = Client(line)
    found = part_of(client, "/api/v2/hold/requests", list[HoldRequest], query, every=every)
    if line.json:
        as_json(found)
        return
    table(
        (
            *("id", "at", "who", "action", "filters", "outcome"),
            *("state", "changed", "undone", "error", "until", "finished"),
        ),
        (
            (
                *(r.id, r.at, r.who, r.action, _filters(r)),
                *(r.outcome or "-", r.state, r.changed, r.undone, r.error, r.until, r.finished),
            )
            for r in found
        ),
    )
    say_more(client)


@app.command()
@filters(HoldEventQuery)
def events(context: typer.Context, query: Body, every: All = False) -> None:
    """Recipients given up, as the sender's system is to be told: soft or internal."""
    line = line_of(context)
    client = Client(line)
    found = part_of(client, "/api/v2/hold/events", list[HoldEvent], query, every=every)
    if line.json:
        as_json(found)
        return
    table(
        ("id", "at", "tenant", "message", "kind", "class", "recipient", "campaign", "detail"),
        (
            (e.id, e.at, e.tenant, e.message, e.kind, e.class_, e.recipient, e.campaign, e.detail)
            for e in found
        ),
    )
    say_more(client)


def _summary(found: HoldSummary, *, some: bool) -> None:
    part = found.all
    if not part.messages:
        say("nothing that matches waits" if some else "nothing waits")
        return
    say(
        f"{count(part.messages, 'message')}, {count(part.octets, 'octet')}; the oldest "
        f"waits {_age(part.age)}; "
        f"next release {_next(part, found.now) or 'not known'}" + _paused(part)
    )
    table(
        ("by", "name", "messages", "octets", "oldest", "next", "paused"),
        (
            (
                p.by,
                f"{p.name or '-'} of {p.tenant}" if p.tenant else p.name or "-",
                p.messages,
                p.octets,
                p.oldest,
                _next(p, found.now) or "-",
                p.paused,
            )
            for p in found.parts
        ),
    )


def _next(part: Part, now: str) -> str:
    """When its next message may go; times of one form compare as text."""
    return "now" if part.next and part.next <= now else part.next


def _paused(part: Part) -> str:
    return f"; {part.paused} paused by operators" if part.paused else ""


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return count(round(seconds), "second")


def _messages(page: HeldPage) -> None:
    table(
        ("id", "arrived", "tenant", "pool", "provider", "recipient", "campaign", "state", "why"),
        (
            (
                *(m.id, m.arrived, m.tenant, m.pool, m.provider),
                *(m.recipient, m.campaign, m.state, _why(m, page.now)),
            )
            for m in page.messages
        ),
    )


def _why(m: HeldView, now: str) -> str:
    if m.ending:
        return m.ending
    if m.paused:
        return "paused"
    until = m.due or m.until
    return f"{m.reason} until {until}" if until > now else m.reason


def _filters(r: HoldRequest) -> str:
    given = {
        "tenant": r.tenant,
        "campaign": r.campaign,
        "recipient": r.recipient,
        "reason": r.reason,
        "message": r.message,
    }
    return " ".join(f"{name}={value}" for name, value in given.items() if value is not None)
