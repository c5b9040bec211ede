"""`sendgate api routes`: what the API answers, and who may ask it. Works without a server."""

import asyncio

import typer

from control.terminal.show import as_json, line_of, table

app = typer.Typer(no_args_is_help=True, help="The API itself: what it answers, and who may ask.")

WHOSE = {"": "", "all": "all alone", "own": "its own", "mine": "any"}
"""Whose tokens and people may ask, in a word."""


@app.callback()
def group() -> None:
    """Keeps `routes` a word of its own while it is the only one."""


@app.command()
def routes(context: typer.Context) -> None:
    """The route table of this version: method, path, role, tenants, what it does.

    `role` is the least that will do (scrape < read < operator < admin). `tenants` is whose token
    may ask: "all alone", one of all tenants; "its own", also one of some, about those. Asks no
    server; --json has every role that will do."""
    from control.offline import route_table

    line = line_of(context)
    found = asyncio.run(route_table())
    if line.json:
        as_json(found)
        return
    table(
        ("method", "path", "role", "tenants", "what it does"),
        (
            (one.method, one.path, one.role or "nobody", WHOSE[one.tenants], one.summary)
            for one in found
        ),
    )
