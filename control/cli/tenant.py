"""`sendgate tenant …`."""

import sys
from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Force, Reason, removed
from control.plan.changed import Changed
from control.plan.terms import TERMS
from control.tenants.password import SAFE
from control.tenants.tenant import NewTenant
from control.tenants.terms import TenantChange
from control.tenants.view import TenantQuery, TenantView
from control.terminal.client import Client
from control.terminal.options import Body, filters, nulls, of, options
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, table
from control.terminal.usage import misused

app = typer.Typer(no_args_is_help=True, help="Customers: logins, networks, pause.")

Password = Annotated[
    str | None,
    typer.Option(help="12 characters or more are wise. Seen in `ps`: better --password-stdin."),
]
_NAMED = {"senders": "--sender", "networks": "--network", "brand_domains": "--brand-domain"}
_TERMS = [option for field, option in of(TenantChange, named=_NAMED).items() if field in TERMS]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")]


@app.command()
@options(NewTenant, but=("name", "password"), named=_NAMED)
def add(
    context: typer.Context,
    name: str,
    body: Body,
    password: Password = None,
    password_stdin: Stdin = False,
    dry_run: Dry = False,
) -> None:
    """Add a tenant with its first login."""
    whole = {**body, "name": name, "password": given_password(password, password_stdin)}
    _change(context, "/api/v2/tenants", whole, f"tenant {name}", dry_run)


@app.command("list")
@filters(TenantQuery)
def list_(context: typer.Context, query: Body, limit: Limit = None, every: All = False) -> None:
    """All tenants."""
    found = listed(Client(line_of(context)), "/api/v2/tenants", TenantView, limit, every, **query)
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
        ("term", "value", "meaning"),
        [
            ("hours", f"{t.hours} {t.zone}" if t.hours else "always", "Sending hours."),
            *((o.name[2:], o.shown(getattr(t, o.field)), o.text) for o in _TERMS),
        ],
    )
    if t.paused_campaigns:
        table(("paused campaigns",), ((c,) for c in t.paused_campaigns))
    table(
        ("id", "pool", "VirtualMTAs", "overflow", "paused"),
        ((p.id, p.name, p.members, p.overflow, p.paused) for p in t.pools),
    )


def _sends(t: TenantView) -> str:
    return "leaving" if t.leaving else "paused" if t.paused else "yes"


@app.command("set")
@options(
    TenantChange,
    named=_NAMED,
    off={
        "senders": "--any-sender",
        "networks": "--no-networks",
        "hours": "--always",
        "brand_domains": "--no-brand-domains",
        "mailbox_ramp": "--no-mailbox-ramp",
    },
)
def set_(context: typer.Context, name: str, body: Body, dry_run: Dry = False) -> None:
    """Change what a tenant may do; what is not named stays."""
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
    kind, words = Changed[TenantView], nulls(TenantChange)
    change(context, method, path, body, kind, what, dry_run=dry_run, null=words)
