"""`sendgate login …`: several for a tenant, each with its own password."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Force, Reason, removed
from control.cli.tenant import Password, Stdin, change_password, given_password
from control.plan.changed import Changed
from control.tenants.login import LoginView
from control.terminal.client import Client
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, table

app = typer.Typer(no_args_is_help=True, help="SMTP logins of a tenant.")

Tenant = Annotated[str, typer.Option()]


@app.command()
def add(
    context: typer.Context,
    login: str,
    tenant: Tenant,
    password: Password = None,
    password_stdin: Stdin = False,
    dry_run: Dry = False,
) -> None:
    """Add a login with its own password."""
    body = {"login": login, "password": given_password(password, password_stdin)}
    path, what = _path(tenant), f"login {login} of tenant {tenant} added"
    change(context, "POST", path, body, Changed[LoginView], what, dry_run=dry_run)


@app.command("list")
def list_(context: typer.Context, tenant: Tenant, limit: Limit = None, every: All = False) -> None:
    """The logins of a tenant."""
    line = line_of(context)
    found = listed(Client(line), _path(tenant), LoginView, limit, every)
    if line.json:
        as_json(found)
        return
    table(("login", "created", "last used"), ((f.name, f.created, f.used or "-") for f in found))


@app.command("password")
def password_(
    context: typer.Context,
    login: str,
    tenant: Tenant,
    password: Password = None,
    password_stdin: Stdin = False,
    dry_run: Dry = False,
) -> None:
    """Replace a login's password."""
    change_password(context, tenant, login, password, password_stdin, dry_run)


@app.command()
def remove(
    context: typer.Context,
    login: str,
    tenant: Tenant,
    force: Force = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Let nobody in by a login any more."""
    what = f"login {login} of tenant {tenant}"
    removed(context, _path(tenant), what, dry_run, force, reason, login=login)


def _path(tenant: str) -> str:
    return f"/api/v2/tenants/{tenant}/logins"
