"""`sendgate pmta import`: what PowerMTA runs already becomes tenants, pools, IPs and domains."""

from pathlib import Path
from typing import Annotated

import typer

from control.plan.changed import Changed
from control.problem import RefusedError
from control.takeover.asked import GivenFile, TakeoverAsked
from control.takeover.found import Entry
from control.takeover.gathering import gather, key_texts
from control.takeover.taking import TakeoverView
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, said, say, table
from control.terminal.usage import misused
from policy.number import count

PATH = "/api/v2/powermta/import"


def import_(
    context: typer.Context,
    file: Annotated[
        list[Path], typer.Argument(help="PowerMTA's main file, or several; includes are followed.")
    ],
    tenant: Annotated[
        str | None, typer.Option(help="Whose everything is that --of does not give to another.")
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Option(help="POOL=TENANT; of a VirtualMTA in no pool, its name. Repeatable."),
    ] = None,
    server: Annotated[str | None, typer.Option(help="PowerMTA server; else the only one.")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Folder with the private DKIM keys; else where they are.")
    ] = None,
    new_keys: Annotated[
        bool, typer.Option("--new-keys", help="New DKIM keys where there is none to be read.")
    ] = False,
    kept: Annotated[
        Path | None, typer.Option(help="Folder for what stays PowerMTA's own, as includes.")
    ] = None,
    leave_refused: Annotated[
        bool, typer.Option("--leave-refused", help="Write although something was refused.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write it; else it is only shown.")] = False,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
) -> None:
    """Take over a running configuration: what is understood, kept, refused; exit 1 when something
    is refused."""
    line = line_of(context)
    found = gather(file)
    asked = TakeoverAsked(
        files=[GivenFile(name=name, text=text) for name, text in found.texts.items()],
        main=found.main,
        tenant=tenant,
        of=dict(_pair(text) for text in of or ()),
        server=server,
        keys=key_texts(keys, found),
        new_keys=new_keys,
        leave_refused=leave_refused,
        reason=reason,
    )
    changed = Client(line).send("POST", PATH, asked, Changed[TakeoverView], dry_run=not yes)
    view = changed.view
    if kept is not None:
        _write(kept, view.own)
    if line.json:
        as_json(view)
    else:
        _entries("understood", view.understood)
        _entries("kept", view.kept)
        _entries("refused", view.refused)
        _entries("warning", view.warned)
        for login in view.tenants:
            shown = f", password {login.password} (shown this once)" if login.password else ""
            say(f"new tenant {login.tenant}: login {login.login}{shown}")
        said(
            changed,
            f"{count(view.vmtas, 'VirtualMTA')}, {count(view.pools, 'pool')} and "
            f"{count(view.domains, 'domain')} taken over",
        )
        _next(view, kept)
        if not yes and view.refused:
            say("nothing was changed: mend what is refused; --yes --leave-refused writes the rest")
        elif not yes:
            say("nothing was changed: --yes writes it")
    raise typer.Exit(1 if view.refused else 0)


def _next(view: TakeoverView, kept: Path | None) -> None:
    """What is left to do at PowerMTA."""
    if "" in view.own and kept is None:
        say("next: --kept FOLDER writes own.conf, for PowerMTA's main file to include")
    elif "" in view.own:
        say(f"next: copy {kept}/own.conf to PowerMTA's host and include it in its main file")
    if view.vmtas:
        say(
            "next: in PowerMTA's main file, sendgate.conf takes the place of what was understood: "
            "include one or the other (deploy/POWERMTA.md)"
        )


def _pair(text: str) -> tuple[str, str]:
    name, sign, tenant = text.partition("=")
    if not (name and sign and tenant):
        raise misused(f"--of: {text!r} is not POOL=TENANT")
    return name, tenant


def _entries(what: str, entries: list[Entry]) -> None:
    if entries:
        table((what, "line", "", ""), ((e.file, e.line, e.text, e.what) for e in entries))


def _write(folder: Path, own: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in own.items():
            (folder / f"{name or 'own'}.conf").write_text(text, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"cannot write to {folder}: {error.strerror}") from error
