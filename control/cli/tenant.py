"""`sendgate tenant …`."""

import sys
from typing import Annotated

import typer

from control.change.password import SAFE
from control.cli.client import Client
from control.cli.show import as_json, line_of, said, table
from control.problem import RefusedError, bad
from control.view.changed import Changed
from control.view.tenant import TenantView

app = typer.Typer(no_args_is_help=True, help="Customers: logins, networks, pause.")

Dry = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, change nothing.")]
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
    dry_run: Dry = False,
) -> None:
    """Add a tenant with its first login."""
    if profile not in ("mailwizz", "mta"):
        raise bad("--profile", f"{profile!r} is neither mailwizz nor mta")
    body = {
        "name": name,
        "login": login,
        "password": given_password(password, password_stdin),
        "networks": network or [],
        "profile": profile,
    }
    _change(context, "/api/v2/tenants", body, f"tenant {name}", dry_run)


@app.command("list")
def list_(context: typer.Context) -> None:
    """All tenants."""
    found = Client(line_of(context)).get("/api/v2/tenants", list[TenantView])
    if line_of(context).json:
        as_json(found)
        return
    columns = ("tenant", "profile", "paused", "logins", "networks", "pools", "domains")
    table(
        columns,
        (
            (
                t.name,
                t.profile,
                t.paused,
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
        ("tenant", "profile", "paused", "logins", "networks", "domains"),
        [(t.name, t.profile, t.paused, t.logins, t.networks, t.domains)],
    )
    table(
        ("pool", "VirtualMTAs", "overflow", "paused"),
        ((p.name, p.members, p.overflow, p.paused) for p in t.pools),
    )


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


def given_password(password: str | None, from_stdin: bool) -> str:
    """The one password given. Raises RefusedError."""
    if from_stdin == (password is not None):
        raise RefusedError("give either --password or --password-stdin", status=400)
    given = sys.stdin.readline().rstrip("\r\n") if from_stdin else password or ""
    if 0 < len(given) < SAFE:
        print(f"warning: a password under {SAFE} characters is easy to guess", file=sys.stderr)
    return given


def _change(context: typer.Context, path: str, body: object, what: str, dry_run: bool) -> None:
    line = line_of(context)
    changed = Client(line).send("POST", path, body, Changed[TenantView], dry_run=dry_run)
    as_json(changed) if line.json else said(changed, what)
