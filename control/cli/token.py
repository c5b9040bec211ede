"""`sendgate token …`: straight at the database, for the first token has no API to come from."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import msgspec
import typer

from control.cli.onhost import run
from control.cli.removal import Dry
from control.ledger.clock import step_seconds
from control.problem import RefusedError, bad, quoted
from control.store.change import Act
from control.terminal.configuration import Config
from control.terminal.options import Body, filters
from control.terminal.parts import All, Limit, gathered, one_of_both
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused, one_of
from control.users import token
from control.users.role import ALL_ROLES, SCOPES, Role
from control.users.tokenlist import TokenQuery, listed
from control.values.time import moment

app = typer.Typer(no_args_is_help=True, help="Tokens of the API.")


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    scope: Annotated[
        str | None,
        typer.Option(help="admin (the default), operate, read, scrape, accounting or agent."),
    ] = None,
    role: Annotated[str | None, typer.Option(help="The same, by the role's name.")] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="The only one it sees and changes; repeatable. Else all."),
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="From where it is good; repeatable. Else anywhere.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: a time, or in how long, such as 30d.")
    ] = None,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Make a token; it is shown this once."""
    terms = token.TokenTerms(
        role=_role(scope, role) or "admin",
        tenants=tuple(tenant or ()),
        networks=tuple(network or ()),
        expires=None if expires is None else _end(expires),
    )

    async def act(act: Act) -> str:
        return await token.add(act, name, terms)

    made = run(line_of(context), config, act, dry=dry_run)
    if dry_run:
        made = "none: a dry run, nothing was changed"
    as_json({"name": name, "token": made}) if line_of(context).json else say(made)


def _role(scope: str | None, role: str | None) -> Role | None:
    if scope and role:
        raise misused("--scope and --role are the same: give one of them")
    one_of("--role", role, *ALL_ROLES)
    one_of("--scope", scope, *ALL_ROLES, *SCOPES)
    wanted = SCOPES.get(scope or "", scope) or role
    return next((known for known in ALL_ROLES if known == wanted), None)


@app.command("set")
def set_(
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    scope: Annotated[str | None, typer.Option(help="As of `token add`.")] = None,
    tenant: Annotated[
        list[str] | None, typer.Option(help="The only one; repeatable, replacing all.")
    ] = None,
    all_tenants: Annotated[bool, typer.Option("--all-tenants", help="All of them.")] = False,
    network: Annotated[
        list[str] | None, typer.Option(help="From where it is good; repeatable, replacing all.")
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="It is good from anywhere.")] = False,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: a time, in how long, or `never`.")
    ] = None,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Change what a token is good for, at once; its secret stays."""
    for one, other, words in (
        (tenant, all_tenants, "--tenant and --all-tenants"),
        (network, anywhere, "--network and --anywhere"),
    ):
        if one and other:
            raise misused(f"{words} contradict each other: give one of them")
    wanted = _role(scope, None)
    if not (wanted or tenant or all_tenants or network or anywhere or expires):
        raise misused("token set: nothing to change was given")

    async def act(act: Act) -> token.TokenView:
        was = await token.one(act.connection, name)
        end = was.expires and moment(was.expires, "expires")
        if expires is not None:
            end = None if expires == "never" else _end(expires)
        same: Role = next(known for known in ALL_ROLES if known == was.role)
        terms = token.TokenTerms(
            role=wanted or same,
            tenants=() if all_tenants else tuple(tenant or was.tenants or ()),
            networks=() if anywhere else tuple(network or was.networks),
            expires=end or None,
        )
        return await token.change(act, name, terms)

    found = run(line_of(context), config, act, dry=dry_run)
    if line_of(context).json:
        as_json({"token": found, "dry_run": dry_run})
        return
    of = "all tenants" if found.tenants is None else ", ".join(found.tenants)
    done = f"token {name}: {found.role} of {of}"
    say(f"{done} (dry run, nothing was changed)" if dry_run else done)


def _end(text: str) -> datetime:
    try:
        if text[:1].isdigit() and "-" not in text:
            return datetime.now(UTC) + timedelta(seconds=step_seconds(text))
        return moment(text, "expires")
    except (RefusedError, OverflowError) as error:
        wanted = "neither in how long, such as 90d, nor a time such as 2026-03-01T09:00:00Z"
        raise bad("expires", f"{quoted(text)} is {wanted}") from error


@app.command("list")
@filters(TokenQuery, but=("limit",))
def list_(
    context: typer.Context,
    query: Body,
    limit: Limit = None,
    every: All = False,
    config: Config = None,
) -> None:
    """All tokens."""
    one_of_both(limit, every)
    wanted = msgspec.convert(query, TokenQuery)

    async def act(act: Act) -> list[token.TokenView]:
        read = partial(listed, act.connection, None, wanted)
        return await gathered(read, wanted.sort, limit)

    found = run(line_of(context), config, act)
    if line_of(context).json:
        as_json(found)
        return
    table(
        ("token", "role", "tenants", "networks", "expires", "created", "last used"),
        (
            (
                *(t.name, t.role, "all" if t.tenants is None else t.tenants),
                *(t.networks or "anywhere", "expired" if t.expired else t.expires or "never"),
                *(t.created, t.used),
            )
            for t in found
        ),
    )


@app.command()
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument()],
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Make a token worthless at once."""

    async def act(act: Act) -> None:
        await token.revoke(act, name)

    run(line_of(context), config, act, dry=dry_run)
    done = f"token {name}: {'would be ' if dry_run else ''}revoked"
    as_json({"revoked": name, "dry_run": dry_run}) if line_of(context).json else say(done)
