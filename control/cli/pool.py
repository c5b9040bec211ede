"""`sendgate pool …`."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason, removed
from control.plan.changed import Changed
from control.sources.pool import NewPool, PoolChange
from control.sources.poolview import PoolDetail, PoolQuery
from control.tenants.view import PoolView
from control.terminal.client import Client
from control.terminal.options import Body, filters, options
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, table

app = typer.Typer(no_args_is_help=True, help="Pools: which IPs carry which domains.")


@app.command()
@options(NewPool, but=("name",))
def add(context: typer.Context, name: str, body: Body, dry_run: Dry = False) -> None:
    """Add a pool without IPs; `domain add --pool` or `ip move` fills it."""
    whole = {**body, "name": name}
    made = (context, "POST", "/api/v2/pools", whole, Changed[PoolDetail], f"pool {name} added")
    change(*made, dry_run=dry_run)


@app.command("list")
@filters(PoolQuery)
def list_(
    context: typer.Context,
    query: Body,
    tenant: Annotated[str | None, typer.Option(help="Only its.")] = None,
    limit: Limit = None,
    every: All = False,
) -> None:
    """All pools."""
    line = line_of(context)
    found = listed(Client(line), "/api/v2/pools", PoolDetail, limit, every, **query, tenant=tenant)
    as_json(found) if line.json else _pools(found)


@app.command()
def show(context: typer.Context, name: str) -> None:
    """One pool."""
    line = line_of(context)
    found = Client(line).get(f"/api/v2/pools/{name}", PoolDetail)
    as_json(found) if line.json else _pools([found])


@app.command("set")
@options(
    PoolChange,
    off={
        "overflow": "--no-overflow",
        "per_minute": "--no-per-minute",
        "per_hour": "--no-per-hour",
    },
)
def set_(context: typer.Context, name: str, body: Body, dry_run: Dry = False) -> None:
    """Change a pool's overflow and limits, or make it the tenant's default."""
    path, what = f"/api/v2/pools/{name}", f"pool {name}"
    change(context, "PATCH", path, body, Changed[PoolDetail], what, dry_run=dry_run)


@app.command()
def remove(context: typer.Context, name: str, reason: Reason = "", dry_run: Dry = False) -> None:
    """Remove a pool that nothing uses."""
    removed(context, f"/api/v2/pools/{name}", f"pool {name}", dry_run, False, reason)


@app.command()
def pause(context: typer.Context, name: str, dry_run: Dry = False) -> None:
    """Send nothing through a pool until `resume`."""
    _change(context, name, "pause", "paused", dry_run)


@app.command()
def resume(context: typer.Context, name: str, dry_run: Dry = False) -> None:
    """Send through a pool again."""
    _change(context, name, "resume", "resumed", dry_run)


def _change(context: typer.Context, name: str, order: str, what: str, dry_run: bool) -> None:
    path = f"/api/v2/pools/{name}/{order}"
    change(context, "POST", path, None, Changed[PoolView], f"pool {name} {what}", dry_run=dry_run)


def _pools(found: list[PoolDetail]) -> None:
    table(
        (
            "id",
            "pool",
            "tenant",
            "default",
            "IPs",
            "domains",
            "overflow",
            "a minute",
            "an hour",
            "paused",
        ),
        (
            (
                *(p.id, p.name, p.tenant, p.default, p.ips, p.domains, p.overflow),
                *(p.per_minute, p.per_hour, p.paused),
            )
            for p in found
        ),
    )
