"""`sendgate pool …`."""

import typer

from control.cli.tenant import Dry
from control.plan.changed import Changed
from control.tenants.view import PoolView
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, said

app = typer.Typer(no_args_is_help=True, help="Pools: pause, resume.")


@app.command()
def pause(context: typer.Context, name: str, dry_run: Dry = False) -> None:
    """Send nothing through a pool until `resume`."""
    _change(context, name, "pause", "paused", dry_run)


@app.command()
def resume(context: typer.Context, name: str, dry_run: Dry = False) -> None:
    """Send through a pool again."""
    _change(context, name, "resume", "resumed", dry_run)


def _change(context: typer.Context, name: str, order: str, what: str, dry_run: bool) -> None:
    line = line_of(context)
    changed = Client(line).send(
        "POST", f"/api/v2/pools/{name}/{order}", None, Changed[PoolView], dry_run=dry_run
    )
    as_json(changed) if line.json else said(changed, f"pool {name} {what}")
