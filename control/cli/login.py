"""`sendgate login …`: several for a tenant, each with its own password."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Force, Reason, removed
from control.cli.tenant import Password, Stdin, change_password, given_password
from control.plan.changed import Changed
from control.tenants.login import LoginView
from control.tenants.rotation import NextPassword
from control.terminal.client import Client
from control.terminal.options import Body, options
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, table
from control.terminal.usage import misused

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
    _shown(found)


@app.command()
def show(context: typer.Context, login: str, tenant: Tenant) -> None:
    """One login, and until when a former password of it is good."""
    line = line_of(context)
    found = Client(line).get(_one(tenant), LoginView, login=login)
    if line.json:
        as_json(found)
        return
    _shown([found])


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
@options(NextPassword, but=("password", "reason"), some=False)
def rotate(
    context: typer.Context,
    login: str,
    tenant: Tenant,
    body: Body,
    password: Password = None,
    password_stdin: Stdin = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Call the new one off: the former one stays.")
    ] = False,
    finish: Annotated[bool, typer.Option("--finish", help="End the former one at once.")] = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Give a login its next password; the former one is good besides for a while."""
    path, kind = f"{_one(tenant)}/rotation", Changed[LoginView]
    if not (cancel or finish):
        secret = given_password(password, password_stdin)
        whole = {**body, "password": secret, "reason": reason}
        what = f"login {login}: a new password, and the former one for a while"
        change(context, "POST", path, whole, kind, what, dry_run=dry_run, login=login)
        return
    if cancel == finish or password is not None or password_stdin or "keep" in body:
        raise misused("--cancel, --finish and a password exclude one another")
    method, path = ("DELETE", path) if cancel else ("POST", f"{path}/finish")
    done = "the new password is called off" if cancel else "the former password has ended"
    change(
        *(context, method, path, None, kind, f"login {login}: {done}"),
        dry_run=dry_run,
        login=login,
        reason=reason or None,
    )


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


def _shown(found: list[LoginView]) -> None:
    table(
        ("login", "created", "last used", "former password until", "last used by it"),
        (
            (f.name, f.created, f.used or "-", f.former_until or "-", f.former_used or "-")
            for f in found
        ),
    )


def _one(tenant: str) -> str:
    return f"/api/v2/tenants/{tenant}/login"


def _path(tenant: str) -> str:
    return f"/api/v2/tenants/{tenant}/logins"
