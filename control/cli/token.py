"""`sendgate token …`: straight at the database, for the first token has no API to come from."""

from typing import Annotated

import typer

from control.cli.onhost import run
from control.store.change import Act
from control.terminal.configuration import Config
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import one_of
from control.users import token
from control.users.role import ALL_ROLES

app = typer.Typer(no_args_is_help=True, help="Tokens of the API.")


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    role: Annotated[
        str, typer.Option(help="admin, operator, read, scrape, accounting or agent.")
    ] = "admin",
    tenant: Annotated[
        str | None, typer.Option(help="The only one it sees and changes; else all.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a token; it is shown this once."""
    one_of("--role", role, *ALL_ROLES)
    may = next(known for known in ALL_ROLES if known == role)

    async def act(act: Act) -> str:
        return await token.add(act, name, may, tenant)

    made = run(line_of(context), config, act)
    as_json({"name": name, "token": made}) if line_of(context).json else say(made)


@app.command("list")
def list_(context: typer.Context, config: Config = None) -> None:
    """All tokens."""

    async def act(act: Act) -> list[token.TokenView]:
        return await token.tokens(act.connection)

    found = run(line_of(context), config, act)
    if line_of(context).json:
        as_json(found)
        return
    table(
        ("token", "role", "tenant", "created", "last used"),
        ((t.name, t.role, t.tenant or "all", t.created, t.used) for t in found),
    )


@app.command()
def revoke(
    context: typer.Context, name: Annotated[str, typer.Argument()], config: Config = None
) -> None:
    """Make a token worthless at once."""

    async def act(act: Act) -> None:
        await token.revoke(act, name)

    run(line_of(context), config, act)
    as_json({"revoked": name}) if line_of(context).json else say(f"token {name}: revoked")
