"""`sendgate accounting import FILE…`: history, in parts, behind a progress bar."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from control.accounting.importing import ImportFile, ImportView
from control.accounting.parts import History
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, say, table
from control.terminal.waiting import pause
from policy.number import count

PATH = "/api/v2/accounting/imports"
_PAUSE = 0.5
"""Seconds between two looks how far it is."""
_PATIENCE = 300.0
"""Seconds in which nothing is taken, after which the command ends; the import goes on."""


def import_(
    context: typer.Context,
    file: Annotated[list[Path], typer.Argument(help="Accounting files, plain or packed.")],
    server: Annotated[
        str, typer.Option(help="Which PowerMTA server wrote them (`sendgate server list`).")
    ] = "",
) -> None:
    """Take in history: files in any order, each record once; broken off it goes on there."""
    line = line_of(context)
    client = Client(line)
    done: list[ImportView] = []
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        for path in file:
            try:
                done.append(_one(client, path, server, progress))
            except OSError as error:
                raise RefusedError(f"{path}: {error.strerror or error}", status=400) from error
    if line.json:
        as_json(done)
        return
    for one in done:
        said = f"{count(one.counted, 'record')} taken in, {one.repeated} had counted before"
        say(f"{one.name}: {said}, {one.set_aside} cannot be read")
        if one.set_aside:
            say("see `sendgate accounting rejected`")


def imports(context: typer.Context, limit: Limit = None, every: All = False) -> None:
    """Imports of history, and how far each is."""
    line = line_of(context)
    found = listed(Client(line), PATH, ImportView, limit, every)
    if line.json:
        as_json(found)
        return
    table(
        ("id", "file", "server", "stored", "taken", "done", "counted", "repeated", "rejected"),
        (
            (
                *(o.id, o.name, o.server or None, o.stored, o.taken, o.done),
                *(o.counted, o.repeated, o.set_aside),
            )
            for o in found
        ),
    )


def _one(client: Client, path: Path, server: str, progress: Progress) -> ImportView:
    history = History(path)
    try:
        body = ImportFile(
            digest=history.digest, size=history.size, name=path.name[-255:], server=server
        )
        view = client.send("POST", PATH, body, ImportView)
        task = progress.add_task(path.name, total=None if history.packed else 2 * history.size)
        if not view.whole:
            for part in history.parts(view.stored):
                query = {"from": str(part.begin), "upto": str(part.end)}
                query |= {"last": "1"} if part.last else {}
                view = _post(client, f"{PATH}/{view.id}/parts", part.body, query)
                progress.update(task, completed=view.stored + view.taken)
    finally:
        history.close()
    until, taken = time.monotonic() + _PATIENCE, view.taken
    while not view.done:
        pause(_PAUSE)
        view = client.get(f"{PATH}/{view.id}", ImportView)
        progress.update(task, completed=view.stored + view.taken, total=2 * view.stored)
        if view.taken > taken:
            until, taken = time.monotonic() + _PATIENCE, view.taken
        if time.monotonic() > until:
            raise RefusedError(
                f"{path}: stored, and for {_PATIENCE:.0f} s nothing of it was taken in: see "
                "`sendgate accounting inbox`"
            )
    progress.update(task, completed=2 * view.stored, total=2 * view.stored)
    return view


def _post(client: Client, path: str, body: bytes, query: dict[str, str]) -> ImportView:
    """Waits while the inbox is full."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return client.octets(path, body, ImportView, **query)
        except RefusedError as error:
            if error.status != 503 or time.monotonic() > until:
                raise
        pause(_PAUSE)
