"""`sendgate server …`: PowerMTA servers."""

from typing import Annotated

import typer

from control.cli.removal import Dry, Reason, removed
from control.embedded.stack.options import pmta_address
from control.plan.changed import Changed
from control.plan.rows import ServerRow
from control.pmta.circuit import CircuitsView
from control.pmta.server import ServerAddress, ServerAddresses
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, said, say, table

app = typer.Typer(no_args_is_help=True, help="PowerMTA servers and where they take mail.")


@app.command("set")
def set_(
    context: typer.Context,
    name: str,
    address: Annotated[list[str], typer.Argument(help="HOST:PORT, best first.")],
    dry_run: Dry = False,
) -> None:
    """Add a server or replace its addresses."""
    line = line_of(context)
    found = [pmta_address(text, "ADDRESS") for text in address]
    addresses = tuple(ServerAddress(host=a.host, port=a.port) for a in found)
    body = ServerAddresses(name=name, addresses=addresses)
    changed = Client(line).send(
        "POST", "/api/v2/servers", body, Changed[ServerAddresses], dry_run=dry_run
    )
    as_json(changed) if line.json else said(changed, f"server {name}")


@app.command()
def show(context: typer.Context, name: str) -> None:
    """One server."""
    line = line_of(context)
    found = Client(line).get(f"/api/v2/servers/{name}", ServerRow)
    as_json(found) if line.json else _servers([found])


@app.command()
def remove(context: typer.Context, name: str, reason: Reason = "", dry_run: Dry = False) -> None:
    """Remove a server that no IP is on."""
    removed(context, f"/api/v2/servers/{name}", f"server {name}", dry_run, False, reason)


@app.command("list")
def list_(context: typer.Context) -> None:
    """All servers."""
    line = line_of(context)
    found = Client(line).get("/api/v2/servers", list[ServerRow])
    as_json(found) if line.json else _servers(found)


def _servers(found: list[ServerRow]) -> None:
    table(
        ("id", "server", "sessions", "addresses"),
        (
            (s.id, s.name, s.sessions, [f"{a['host']}:{a['port']}" for a in s.addresses])
            for s in found
        ),
    )


@app.command()
def circuits(context: typer.Context) -> None:
    """Which gateway processes leave a server or a VirtualMTA alone, and why."""
    line = line_of(context)
    found = Client(line).get("/api/v2/circuits", CircuitsView)
    if line.json:
        as_json(found)
        return
    if not found.circuits:
        say(f"all circuits are closed, in {found.processes} processes")
        return
    table(
        ("kind", "name", "state", "process", "probe in", "why"),
        (
            (c.kind, c.name, c.state, c.process, f"{c.probe_in:.0f} s", c.why)
            for c in found.circuits
        ),
        title=f"{found.processes} processes; those not named send there",
    )
