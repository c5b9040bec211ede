"""`sendgate tenant …`."""

import sys
from typing import Annotated, Any

import typer

from control.cli import holdterms as hold
from control.cli.removal import Dry, Force, Reason, removed
from control.plan.changed import Changed
from control.tenants.password import SAFE
from control.tenants.view import TenantView
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, said, table
from control.terminal.usage import finite, misused, number_or_none, one_of

app = typer.Typer(no_args_is_help=True, help="Customers: logins, networks, pause.")

Password = Annotated[str | None, typer.Option(help="12 characters or more are wise.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")]


@app.command()
def add(
    context: typer.Context,
    name: str,
    login: Annotated[str, typer.Option(help="SMTP user name.")],
    password: Password = None,
    password_stdin: Stdin = False,
    network: Annotated[list[str] | None, typer.Option(help="CIDR; repeatable.")] = None,
    profile: Annotated[str, typer.Option(help="mailwizz or mta.")] = "mailwizz",
    hold_messages: hold.Messages = None,
    hold_bytes: hold.Octets = None,
    hold_age: hold.Age = None,
    hold_past: hold.Past = None,
    duplicates: hold.Repeats = None,
    feedback_id: hold.FeedbackId = None,
    list_unsubscribe: hold.ListUnsubscribe = None,
    dsn: hold.Dsn = None,
    dry_run: Dry = False,
) -> None:
    """Add a tenant with its first login."""
    one_of("--profile", profile, "mailwizz", "mta")
    body: dict[str, Any] = {
        "name": name,
        "login": login,
        "password": given_password(password, password_stdin),
        "networks": network or [],
        "profile": profile,
    }
    body |= hold.hold_terms(
        *(hold_messages, hold_bytes, hold_age, hold_past),
        *(duplicates, feedback_id, list_unsubscribe, dsn),
    )
    _change(context, "/api/v2/tenants", body, f"tenant {name}", dry_run)


@app.command("list")
def list_(context: typer.Context) -> None:
    """All tenants."""
    found = Client(line_of(context)).pages("/api/v2/tenants", TenantView, lambda t: t.name)
    if line_of(context).json:
        as_json(found)
        return
    columns = ("id", "tenant", "profile", "sends", "logins", "networks", "pools", "domains")
    table(
        columns,
        (
            (
                t.id,
                t.name,
                t.profile,
                _sends(t),
                t.logins,
                t.networks,
                [p.name for p in t.pools],
                t.domains,
            )
            for t in found
        ),
    )


@app.command()
def show(context: typer.Context, name: str) -> None:
    """One tenant with its pools."""
    t = Client(line_of(context)).get(f"/api/v2/tenants/{name}", TenantView)
    if line_of(context).json:
        as_json(t)
        return
    table(
        ("id", "tenant", "profile", "sends", "logins", "networks", "domains"),
        [(t.id, t.name, t.profile, _sends(t), t.logins, t.networks, t.domains)],
    )
    table(
        (
            "hours",
            "a minute",
            "an hour",
            "recipients a message",
            "mailbox",
            "unreadable From",
            "mailbox maximum",
            "spacing",
            "strict",
            "senders",
        ),
        [
            (
                f"{t.hours} {t.zone}" if t.hours else "always",
                t.per_minute,
                t.per_hour,
                t.max_recipients,
                t.mailbox,
                t.unreadable_from,
                t.mailbox_max,
                t.mailbox_spacing,
                t.strict,
                t.senders or "any",
            )
        ],
    )
    table(
        (
            "may wait",
            "octets",
            "seconds",
            "beyond",
            "duplicates",
            "Feedback-ID",
            "List-Unsubscribe",
            "DSN",
            "paused campaigns",
        ),
        [
            (
                *("default" if v is None else v for v in (*_hold(t), t.dsn)),
                t.paused_campaigns,
            )
        ],
    )
    table(
        ("id", "pool", "VirtualMTAs", "overflow", "paused"),
        ((p.id, p.name, p.members, p.overflow, p.paused) for p in t.pools),
    )


def _sends(t: TenantView) -> str:
    return "leaving" if t.leaving else "paused" if t.paused else "yes"


def _hold(t: TenantView) -> tuple[int | float | str | None, ...]:
    bounds = (t.hold_messages, t.hold_bytes, t.hold_age, t.hold_past)
    return (*bounds, t.duplicates, t.feedback_id, t.list_unsubscribe)


@app.command("set")
def set_(
    context: typer.Context,
    name: str,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--no-strict", help="Refuse domains that were not added."),
    ] = None,
    sender: Annotated[
        list[str] | None, typer.Option(help="user@domain or domain; replaces all; repeatable.")
    ] = None,
    any_sender: Annotated[bool, typer.Option("--any-sender")] = False,
    max_recipients: Annotated[int | None, typer.Option(help="Of one message.")] = None,
    mailbox: Annotated[str | None, typer.Option(help="from or envelope: what counts.")] = None,
    unreadable_from: Annotated[
        str | None,
        typer.Option(help="refuse, or shared: a From: that cannot be read counts for one mailbox."),
    ] = None,
    mailbox_max: Annotated[
        str | None, typer.Option(help="Recipients a day of each mailbox, or none.")
    ] = None,
    mailbox_spacing: Annotated[
        float | None, typer.Option(help="Seconds between two messages of a mailbox.")
    ] = None,
    per_minute: Annotated[str | None, typer.Option(help="Recipients, or none.")] = None,
    per_hour: Annotated[str | None, typer.Option(help="Recipients, or none.")] = None,
    hours: Annotated[str | None, typer.Option(help="HH:MM-HH:MM, local time.")] = None,
    zone: Annotated[str | None, typer.Option(help="Such as Europe/Paris.")] = None,
    always: Annotated[bool, typer.Option("--always", help="No sending hours.")] = False,
    profile: Annotated[str | None, typer.Option(help="mailwizz or mta.")] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="CIDR; replaces all; repeatable.")
    ] = None,
    no_networks: Annotated[bool, typer.Option("--no-networks")] = False,
    hold_messages: hold.Messages = None,
    hold_bytes: hold.Octets = None,
    hold_age: hold.Age = None,
    hold_past: hold.Past = None,
    duplicates: hold.Repeats = None,
    feedback_id: hold.FeedbackId = None,
    list_unsubscribe: hold.ListUnsubscribe = None,
    dsn: hold.Dsn = None,
    dry_run: Dry = False,
) -> None:
    """Change what a tenant may do; what is not named stays."""
    for one, two, both in (
        ("--sender", "--any-sender", sender and any_sender),
        ("--network", "--no-networks", network and no_networks),
        ("--hours or --zone", "--always", (hours or zone) and always),
    ):
        if both:
            raise misused(f"{one} and {two} contradict each other: give one of them")
    one_of("--profile", profile, "mailwizz", "mta")
    one_of("--mailbox", mailbox, "from", "envelope")
    one_of("--unreadable-from", unreadable_from, "refuse", "shared")
    given: dict[str, Any] = {
        "strict": strict,
        "senders": [] if any_sender else sender or None,
        "max_recipients": max_recipients,
        "mailbox": mailbox,
        "unreadable_from": unreadable_from,
        "mailbox_spacing": finite("--mailbox-spacing", mailbox_spacing),
        "hours": hours,
        "zone": zone,
        "profile": profile,
        "networks": [] if no_networks else network or None,
    }
    body = {key: value for key, value in given.items() if value is not None}
    for key, option, text in (
        ("mailbox_max", "--mailbox-max", mailbox_max),
        ("per_minute", "--per-minute", per_minute),
        ("per_hour", "--per-hour", per_hour),
    ):
        if text is not None:
            body[key] = number_or_none(option, text)
    if always:
        body["hours"] = None
    body |= hold.hold_terms(
        *(hold_messages, hold_bytes, hold_age, hold_past),
        *(duplicates, feedback_id, list_unsubscribe, dsn),
    )
    if not body:
        raise misused("tenant set: nothing to change was given")
    _change(context, f"/api/v2/tenants/{name}", body, f"tenant {name}", dry_run, "PATCH")


@app.command()
def pause(context: typer.Context, name: str, dry_run: Dry = False) -> None:
    """Stop a tenant's mail."""
    _change(context, f"/api/v2/tenants/{name}/pause", None, f"tenant {name} paused", dry_run)


@app.command()
def resume(context: typer.Context, name: str, dry_run: Dry = False) -> None:
    """Go on with a tenant's mail."""
    _change(context, f"/api/v2/tenants/{name}/resume", None, f"tenant {name} resumed", dry_run)


@app.command("password")
def change_password(
    context: typer.Context,
    name: str,
    login: Annotated[str, typer.Option(help="SMTP user name.")],
    password: Password = None,
    password_stdin: Stdin = False,
    dry_run: Dry = False,
) -> None:
    """Replace the password of a login."""
    body = {"login": login, "password": given_password(password, password_stdin)}
    _change(context, f"/api/v2/tenants/{name}/password", body, f"password of {login}", dry_run)


@app.command()
def remove(
    context: typer.Context,
    name: str,
    force: Force = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Remove a paused tenant and all that is its own, once nothing of it is held."""
    removed(context, f"/api/v2/tenants/{name}", f"tenant {name}", dry_run, force, reason)


def given_password(password: str | None, from_stdin: bool) -> str:
    """The one password given. Raises a usage error."""
    if from_stdin == (password is not None):
        raise misused("give either --password or --password-stdin")
    given = sys.stdin.readline().rstrip("\r\n") if from_stdin else password or ""
    if 0 < len(given) < SAFE:
        print(f"warning: a password under {SAFE} characters is easy to guess", file=sys.stderr)
    return given


def _change(
    context: typer.Context,
    path: str,
    body: object,
    what: str,
    dry_run: bool,
    method: str = "POST",
) -> None:
    line = line_of(context)
    changed = Client(line).send(method, path, body, Changed[TenantView], dry_run=dry_run)
    as_json(changed) if line.json else said(changed, what)
