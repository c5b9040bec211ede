"""`sendgate network …`: where mail of a tenant comes from without a login."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Force, Reason, removed
from control.plan.changed import Changed
from control.terminal.client import Client
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, table

app = typer.Typer(no_args_is_help=True, help="Source networks that name a tenant.")

Tenant = Annotated[str, typer.Option()]
Network = Annotated[str, typer.Argument(help="CIDR, such as 10.0.0.0/8.")]


@app.command()
def add(context: typer.Context, network: Network, tenant: Tenant, dry_run: Dry = False) -> None:
    """Let mail from a network in without a login."""
    body, what = {"network": network}, f"network {network} of tenant {tenant} added"
    change(context, "POST", _path(tenant), body, Changed[list[str]], what, dry_run=dry_run)


@app.command("list")
def list_(context: typer.Context, tenant: Tenant, limit: Limit = None, every: All = False) -> None:
    """The source networks of a tenant."""
    line = line_of(context)
    found = listed(Client(line), _path(tenant), str, limit, every)
    as_json(found) if line.json else table(("network",), ((n,) for n in found))


@app.command()
def remove(
    context: typer.Context,
    network: Network,
    tenant: Tenant,
    force: Force = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Ask mail from a network for a login from now on."""
    what = f"network {network} of tenant {tenant}"
    removed(context, _path(tenant), what, dry_run, force, reason, network=network)


def _path(tenant: str) -> str:
    return f"/api/v2/tenants/{tenant}/networks"
