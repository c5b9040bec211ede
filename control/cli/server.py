"""`sendgate server …`: PowerMTA servers."""

from typing import Annotated

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason, removed
from control.embedded.stack.options import pmta_address
from control.plan.changed import Changed, Removed
from control.plan.rows import ServerRow
from control.pmta.circuit import CircuitsView
from control.pmta.server import ServerAddress, ServerAddresses
from control.pmta.told import ToldView
from control.terminal.client import Client
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, cell, line_of, say, table
from policy.number import count

app = typer.Typer(no_args_is_help=True, help="PowerMTA servers and where they take mail.")


@app.command("set")
def set_(
    context: typer.Context,
    name: str,
    address: Annotated[list[str], typer.Argument(help="HOST:PORT, best first.")],
    dry_run: Dry = False,
) -> None:
    """Add a server or replace its addresses."""
    found = [pmta_address(text, "ADDRESS") for text in address]
    addresses = tuple(ServerAddress(host=a.host, port=a.port) for a in found)
    body = ServerAddresses(name=name, addresses=addresses)
    made = (context, "POST", "/api/v2/servers", body, Changed[ServerAddresses], f"server {name}")
    change(*made, dry_run=dry_run)


@app.command()
def show(context: typer.Context, name: str) -> None:
    """One server."""
    line = line_of(context)
    client = Client(line)
    found = client.get(f"/api/v2/servers/{name}", ServerRow)
    if line.json:
        as_json(found)
        return
    told = [one for one in client.pages(_TOLD, ToldView) if one.server == found.name]
    _servers([found], told)
    for one in told:
        _say(one)


@app.command()
def remove(context: typer.Context, name: str, reason: Reason = "", dry_run: Dry = False) -> None:
    """Remove a server that no IP is on."""
    removed(context, f"/api/v2/servers/{name}", f"server {name}", dry_run, False, reason)


@app.command()
def release(context: typer.Context, name: str, reason: Reason = "", dry_run: Dry = False) -> None:
    """Wait no more for the agent that kept PowerMTA's configuration on a server."""
    path, done = f"/api/v2/servers/{name}/agent", f"server {name} released from its agent"
    change(context, "DELETE", path, None, Changed[Removed], done, dry_run=dry_run, reason=reason)


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, every: All = False) -> None:
    """All servers."""
    line = line_of(context)
    client = Client(line)
    found = listed(client, "/api/v2/servers", ServerRow, limit, every)
    as_json(found) if line.json else _servers(found, client.pages(_TOLD, ToldView))


@app.command()
def told(context: typer.Context) -> None:
    """What PowerMTA servers say of themselves, as their agents tell: version, licence, queues."""
    line = line_of(context)
    found = Client(line).pages(_TOLD, ToldView)
    if line.json:
        as_json(found)
        return
    if not found:
        say("no agent has told anything: `sendgate pmta agent` runs on PowerMTA's host")
    for one in found:
        _say(one)


_TOLD = "/api/v2/powermta/status"


def _servers(found: list[ServerRow], told: list[ToldView]) -> None:
    by_server = {one.server: one for one in told}
    table(
        ("id", "server", "sessions", "addresses", "PowerMTA", "licence", "queued", "told"),
        (
            (
                *(s.id, s.name, s.sessions, [f"{a['host']}:{a['port']}" for a in s.addresses]),
                *_columns(by_server.get(s.name)),
            )
            for s in found
        ),
    )


def _columns(one: ToldView | None) -> tuple[object, ...]:
    if one is None:
        return (None, None, None, None)
    told = one.told
    return (told.version, told.licence_end, told.queued, f"{one.age:.0f} s ago")


def _say(one: ToldView) -> None:
    told = one.told
    units = "unlimited" if told.licence_unlimited else cell(told.licence_units)
    say(
        f"{one.server}: PowerMTA {told.version or '-'}, licence to {told.licence_end or '-'}, "
        f"{units} units; told by {one.agent} ({one.agent_version}) {one.age:.0f} s ago"
    )
    say(
        f"  {cell(told.queued)} recipients queued of {cell(told.spool_most)}; last hour "
        f"{cell(told.in_last_hour)} in, {cell(told.out_last_hour)} out; connections "
        f"{cell(told.connections_in)} of {cell(told.connections_in_most)} in, "
        f"{cell(told.connections_out)} of {cell(told.connections_out_most)} out"
    )
    for trouble in one.troubles:
        say(f"warning: {trouble}")


@app.command()
def circuits(context: typer.Context) -> None:
    """Which gateway processes leave a server or a VirtualMTA alone, and why."""
    line = line_of(context)
    found = Client(line).get("/api/v2/circuits", CircuitsView)
    if line.json:
        as_json(found)
        return
    if not found.circuits:
        say(f"all circuits are closed, in {count(found.processes, 'process')}")
        return
    table(
        ("kind", "name", "state", "process", "probe in", "why"),
        (
            (c.kind, c.name, c.state, c.process, f"{c.probe_in:.0f} s", c.why)
            for c in found.circuits
        ),
        title=f"{count(found.processes, 'process')}; those not named send there",
    )
