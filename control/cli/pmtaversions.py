"""`sendgate pmta diff|validate|versions|status|apply|rollback`: versions of PowerMTA's
configuration."""

from collections.abc import Sequence
from typing import Annotated

import typer

from control.cli.removal import Dry, Reason
from control.plan.brought import Apply, Brought, BroughtView, Rollback
from control.plan.configured import DifferenceView, StandingView, Validated
from control.pmta.version import VersionView
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.parts import All, part_of, say_more
from control.terminal.show import as_json, line_of, say, table
from policy.isotime import instant

PATH = "/api/v2/powermta"
Server = Annotated[str | None, typer.Option(help="PowerMTA server; else all.")]
Only = Annotated[str | None, typer.Option(help="PowerMTA server; else the only one.")]


def diff(
    context: typer.Context,
    server: Only = None,
    from_: Annotated[
        str, typer.Option("--from", help="A version, running, desired or plan.")
    ] = "running",
    to: Annotated[str, typer.Option(help="The same; plan: what it makes of it now.")] = "plan",
) -> None:
    """What changes from one configuration of a server to another, file by file."""
    line = line_of(context)
    found = _difference(Client(line), server, from_, to)
    if line.json:
        as_json(found)
    elif not found.files:
        say(f"{found.server}: {from_} and {to} are the same")
    else:
        _say(found)


def validate(context: typer.Context, server: Server = None) -> None:
    """What is wrong with the configuration that the plan makes; exit 1 for problems."""
    line = line_of(context)
    found = Client(line).pages(f"{PATH}/validate", Validated, server=server)
    if line.json:
        as_json(found)
    else:
        for one in found:
            for text in one.problems:
                say(f"{one.server}: {text}")
            for text in one.warnings:
                say(f"{one.server}: warning: {text}")
            if not one.problems:
                say(f"{one.server}: no problems")
    raise typer.Exit(1 if any(one.problems for one in found) else 0)


def versions(
    context: typer.Context,
    server: Server = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1000, help="At most so many; without it 20.")
    ] = None,
    every: All = False,
) -> None:
    """Versions of the configuration, newest first: who, why, when, and which one runs."""
    line = line_of(context)
    client, limit = Client(line), limit if every else limit or 20
    query = {"server": server, "limit": limit}
    found = part_of(client, f"{PATH}/versions", list[VersionView], query, every=every)
    if line.json:
        as_json(found)
        return
    table(
        ("version", "server", "runs", "wanted", "plan", "when", "who", "why", "digest"),
        (
            (
                *(v.version, v.server, v.running, v.desired, v.generation or None),
                *(instant(v.at), v.who, _why(v), v.digest[:12]),
            )
            for v in found
        ),
    )
    say_more(client)


def _why(version: VersionView) -> str:
    """Why it was made, and what became of it."""
    withdrawn = f"withdrawn: {version.withdrawn}" if version.withdrawn else ""
    return "; ".join(text for text in (withdrawn, version.why, version.instead) if text)


def status(context: typer.Context, server: Server = None) -> None:
    """What each server with an agent runs, is to run, and what is wrong with that. Exit 1 when one
    does not run what the plan says."""
    line = line_of(context)
    found = _standing(Client(line), server)
    if line.json:
        as_json(found)
    elif not found:
        say("no agent asks for a configuration: set `configuration` in its agent.toml")
    else:
        _table(found)
    raise typer.Exit(0 if all(one.right for one in found) else 1)


def apply(
    context: typer.Context,
    server: Server = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write over files that were changed by hand.")
    ] = False,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Bring what the plan says into force: on one server, and when it runs there on the others.
    Exit 1 when a server runs something else at the end."""
    line = line_of(context)
    client = Client(line)
    wanted = Apply(server=server, overwrite=overwrite, reason=reason)
    would = client.send("POST", f"{PATH}/apply", wanted, BroughtView, dry_run=True)
    order = would.servers
    if dry_run:
        if line.json:
            as_json(order)
            return
        for one in order:
            _would(client, one, overwrite=overwrite)
        _notes(would)
        return
    problem = ""
    for one in order:
        if not line.json and one.changed:
            say(f"{one.server}: offered what the plan says, waiting for PowerMTA …")
        step = Apply(server=one.server, overwrite=overwrite, reason=reason)
        try:
            view = client.send("POST", f"{PATH}/apply", step, BroughtView)
            [brought] = view.servers
        except RefusedError as error:
            problem = f"{one.server}: {error.line()}"
            break
        if not line.json:
            said = "runs version" if brought.changed else "runs already version"
            say(f"{one.server}: {said} {brought.version}")
            _notes(view)
    _end(context, client, [one.server for one in order], problem, None)


def _would(client: Client, one: Brought, *, overwrite: bool) -> None:
    """What `apply` would do with a server."""
    if not one.changed:
        say(f"{one.server}: runs version {one.version}, which is what the plan says")
        return
    what = f"version {one.version}" if one.version else "a new version"
    say(f"{one.server}: {what} would be offered (dry run, nothing was changed)")
    for text in one.by_hand:
        say(f"{one.server}: {text}: {'would be written over' if overwrite else 'stays'}")
    if one.by_hand and not overwrite:
        say(f"{one.server}: nothing would be done while files are changed by hand: --overwrite")
    _say(_difference(client, one.server, "desired" if one.before else "", "plan"))


def rollback(
    context: typer.Context,
    version: Annotated[int, typer.Argument(min=1, help="See `sendgate pmta versions`.")],
    server: Only = None,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Bring an older version of a server into force. Exit 1 when it does not run it at the end."""
    line = line_of(context)
    client = Client(line)
    named = server or _only(client)
    wanted = Rollback(server=named, version=version, reason=reason)
    path = f"{PATH}/rollback"
    if dry_run:
        view = client.send("POST", path, wanted, BroughtView, dry_run=True)
        if line.json:
            as_json(view)
            return
        say(f"{named}: version {version} would be offered (dry run, nothing was changed)")
        _say(_difference(client, named, "desired", str(version)))
        _notes(view)
        return
    problem, notes = "", []
    try:
        if not line.json:
            # What it will be like is said before it is so.
            _notes(client.send("POST", path, wanted, BroughtView, dry_run=True))
            say(f"{named}: offered version {version}, waiting for PowerMTA …")
        view = client.send("POST", path, wanted, BroughtView)
        notes = view.notes
        if not line.json:
            say(f"{named}: runs version {version}")
            _notes(view)
    except RefusedError as error:
        problem = error.line()
    _end(context, client, [named], problem, version, notes)


def _end(
    context: typer.Context,
    client: Client,
    asked: list[str],
    problem: str,
    version: int | None,
    notes: Sequence[str] = (),
) -> None:
    """A table of what runs where; exit 1 when it is not what was asked."""
    found = [one for one in _standing(client, None) if one.server in asked]
    if version is None:
        there = all(one.state == "running" and one.running == one.desired for one in found)
    else:
        there = all(one.running == version for one in found)
    if line_of(context).json:
        as_json({"problem": problem, "servers": found, "notes": notes})
    else:
        if problem:
            say(problem)
        _table(found)
    raise typer.Exit(0 if there and not problem else 1)


def _only(client: Client) -> str:
    names = [one.server for one in _standing(client, None)]
    if len(names) != 1:
        raise RefusedError(f"--server: {len(names)} servers have an agent: say which", status=400)
    return names[0]


def _standing(client: Client, server: str | None) -> list[StandingView]:
    return client.pages(f"{PATH}/standing", StandingView, server=server)


def _difference(client: Client, server: str | None, from_: str, to: str) -> DifferenceView:
    query = {"server": server, "from": from_, "to": to}
    if not from_:
        return DifferenceView(server=server or "", from_="", to=to, files={})
    return client.get(f"{PATH}/diff", DifferenceView, **query)


def _say(found: DifferenceView) -> None:
    for text in found.files.values():
        print(text, end="" if text.endswith("\n") else "\n", flush=True)


def _notes(view: BroughtView) -> None:
    for text in view.notes:
        say(f"note: {text}")


def _table(found: list[StandingView]) -> None:
    table(
        ("server", "state", "runs", "is to run", "agent", "heard"),
        (
            (
                *(one.server, one.state, one.running or None, one.desired or None),
                *(one.agent, f"{one.heard:.0f} s ago"),
            )
            for one in found
        ),
    )
    for one in found:
        for text in one.troubles:
            say(f"warning: {text}")
