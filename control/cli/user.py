"""`sendgate user …`: straight at the database, for the first admin has no API to come from."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from control.cli import acceptance
from control.cli.onhost import run
from control.cli.removal import Dry, Force, Reason
from control.store.change import Act
from control.terminal.configuration import Config, configuration
from control.terminal.options import Body, filters
from control.terminal.parts import All, Limit, gathered, one_of_both
from control.terminal.show import as_json, line_of, say, table
from control.terminal.usage import misused, one_of
from control.users import link, person
from control.users.person import PersonView, Terms
from control.users.personlist import UserQuery, listed
from control.users.role import PERSON_ROLES
from settings.model import Settings

app = typer.Typer(no_args_is_help=True, help="People who sign in to the API.")

_Act = Callable[[Act], Awaitable[PersonView]]

_Role = typer.Option(help="admin, operator (all but people, tokens, secrets) or viewer (reads).")
Role = Annotated[str | None, _Role]
Tenants = Annotated[
    list[str] | None, typer.Option("--tenant", help="Only this one; repeatable. Else all.")
]
Mail = Annotated[
    str | None, typer.Option("--mail", help="Where links are mailed; a name with an @ is one.")
]


@app.command()
def add(
    context: typer.Context,
    name: str,
    role: Annotated[str, _Role] = "viewer",
    tenant: Tenants = None,
    mail: Mail = None,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Add a user; a one-time link lets it choose its password."""
    one_of("--role", role, *PERSON_ROLES)
    address = mail or (name if "@" in name else None)
    terms = Terms(role=role, tenants=tuple(tenant) if tenant else None, mail=address)  # type: ignore[arg-type]
    good = configuration(line_of(context), config).people.link

    async def act(act: Act) -> tuple[PersonView, str]:
        return await person.add(act, name, terms, good)

    _linked(context, config, act, f"user {name} added", dry_run)


@app.command("list")
@filters(UserQuery, but=("limit",))
def list_(
    context: typer.Context,
    query: Body,
    limit: Limit = None,
    every: All = False,
    config: Config = None,
) -> None:
    """All users."""
    one_of_both(limit, every)
    wanted = msgspec.convert(query, UserQuery)

    async def act(act: Act) -> list[PersonView]:
        read = partial(listed, act.connection, None, wanted)
        return await gathered(read, wanted.sort, limit)

    found = run(line_of(context), config, act)
    if line_of(context).json:
        as_json(found)
        return
    table(
        ("user", "role", "tenants", "state", "codes", "sessions", "last in"),
        (
            (p.name, p.role, _tenants(p), _state(p), p.codes, p.sessions, p.used or "never")
            for p in found
        ),
    )


@app.command()
def show(context: typer.Context, name: str, config: Config = None) -> None:
    """One user."""

    async def act(act: Act) -> PersonView:
        return await person.person(act.connection, name)

    found = run(line_of(context), config, act)
    if line_of(context).json:
        as_json(found)
        return
    say(f"user {found.name}: {found.role} of {_tenants(found)}, {_state(found)}")
    say(f"  mail: {found.mail or 'none'}")
    say(f"  codes: {'on' if found.codes else 'off'}")
    say(f"  sessions: {found.sessions}; signed in last: {found.used or 'never'}")
    if found.link:
        say(f"  one-time link, good until {found.link}")


@app.command("set")
def set_(
    context: typer.Context,
    name: str,
    role: Role = None,
    tenant: Tenants = None,
    all_tenants: Annotated[bool, typer.Option("--all-tenants", help="All of them.")] = False,
    mail: Mail = None,
    no_mail: Annotated[bool, typer.Option("--no-mail", help="No address any more.")] = False,
    force: Force = False,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Change what a user may do, at once."""
    one_of("--role", role, *PERSON_ROLES)
    for one, other, words in (
        (tenant, all_tenants, "--tenant and --all-tenants"),
        (mail, no_mail, "--mail and --no-mail"),
    ):
        if one and other:
            raise misused(f"{words} contradict each other: give one of them")
    if not (role or tenant or all_tenants or mail or no_mail):
        raise misused("user set: nothing to change was given")

    async def act(act: Act) -> PersonView:
        was = await person.person(act.connection, name)
        kept = None if was.tenants is None else tuple(was.tenants)
        terms: Any = {
            "role": role or was.role,
            "tenants": None if all_tenants else tuple(tenant) if tenant else kept,
            "mail": None if no_mail else mail or was.mail,
        }
        return await person.change(act, name, Terms(**terms), force=force)

    found = run(line_of(context), config, act, dry=dry_run)
    _said(context, found, f"user {name}: {found.role} of {_tenants(found)}", dry_run)


@app.command()
def reset(
    context: typer.Context,
    name: str,
    codes: Annotated[
        bool, typer.Option("--codes", help="Take its codes off, too: the device is lost.")
    ] = False,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """End a user's sessions and its password; a one-time link lets it choose another."""
    good = configuration(line_of(context), config).people.link

    async def act(act: Act) -> tuple[PersonView, str]:
        return await person.reset(act, name, good, codes=codes)

    _linked(context, config, act, f"user {name} reset", dry_run)


@app.command()
def disable(
    context: typer.Context,
    name: str,
    reason: Reason = "",
    force: Force = False,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Let a user in no more; its sessions end at once."""

    async def act(act: Act) -> PersonView:
        return await person.disable(act, name, reason=reason, force=force)

    _done(context, config, act, f"user {name}: disabled", dry_run)


@app.command()
def enable(context: typer.Context, name: str, dry_run: Dry = False, config: Config = None) -> None:
    """Let a user in again."""

    async def act(act: Act) -> PersonView:
        return await person.enable(act, name)

    _done(context, config, act, f"user {name}: enabled", dry_run)


@app.command()
def remove(
    context: typer.Context,
    name: str,
    reason: Reason = "",
    force: Force = False,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Take a user away; what it did stays in the audit log."""

    async def act(act: Act) -> PersonView:
        return await person.remove(act, name, reason=reason, force=force)

    _done(context, config, act, f"user {name}: removed", dry_run)


app.command()(acceptance.accept)


@app.command("new-key")
def new_key(
    context: typer.Context,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="What the former one signed is worthless now.")
    ] = False,
    dry_run: Dry = False,
    config: Config = None,
) -> None:
    """Sign access tokens with a new key from now on; control does so by itself, too."""
    # It signs, which no other command does.
    from control.users import key

    settings = configuration(line_of(context), config)

    async def act(act: Act) -> str:
        return await key.replace(act, settings, at_once=at_once)

    kid = run(line_of(context), config, act, dry=dry_run)
    if line_of(context).json:
        as_json({"key": kid, "at_once": at_once, "dry_run": dry_run})
        return
    say("a new key would sign" if dry_run else f"key {kid} signs from now on")


def _done(context: typer.Context, config: Config, act: _Act, what: str, dry: bool) -> None:
    """Runs it, and says so."""
    _said(context, run(line_of(context), config, act, dry=dry), what, dry)


def _linked(
    context: typer.Context,
    config: Config,
    act: Callable[[Act], Awaitable[tuple[PersonView, str]]],
    what: str,
    dry: bool,
) -> None:
    """Runs it, and hands the link over."""
    found, secret = run(line_of(context), config, act, dry=dry)
    if dry:
        _said(context, found, what, dry)
        return
    settings = configuration(line_of(context), config)
    url = settings.people.url
    given = link.written(secret, url)
    mail = _mailed(found, given, settings)
    if line_of(context).json:
        as_json({"user": found, "link": given, "mail": mail})
        return
    say(what)
    if mail:
        say(mail)
    say(f"one-time link, good until {found.link}: {given}")
    if not url:
        say("choose the password with `sendgate user accept`, or set people.url for a whole link")


def _mailed(found: PersonView, given: str, settings: Settings) -> str:
    if not settings.alerts.mail_server:
        return ""
    from control.users.letter import mailed

    return asyncio.run(mailed(found, given, settings.alerts))


def _said(context: typer.Context, found: PersonView, what: str, dry: bool) -> None:
    if line_of(context).json:
        as_json({"user": found, "dry_run": dry})
        return
    say(f"{what} (dry run, nothing was changed)" if dry else what)


def _tenants(of: PersonView) -> str:
    if of.tenants is None:
        return "all tenants"
    return ", ".join(of.tenants) or "no tenant"


def _state(of: PersonView) -> str:
    if of.disabled:
        return "disabled"
    return "active" if of.signs_in else "invited"
