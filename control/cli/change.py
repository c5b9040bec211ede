"""What all changes share: how one is asked for, and how what it left is shown."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import typer

from control.plan.changed import Changed
from control.terminal.client import Client, Parameter
from control.terminal.show import as_json, line_of, said

V = TypeVar("V")


def change(
    context: typer.Context,
    method: str,
    path: str,
    body: Any,
    kind: type[Changed[V]],
    what: str | Callable[[V], str],
    *,
    dry_run: bool,
    show: Callable[[V], None] | None = None,
    null: Mapping[str, str] | None = None,
    seen: bool | str = False,
    match: str = "",
    **query: Parameter,
) -> None:
    """Ask for it, and say `what` was done; `show`: what it left, behind that; `null`: the word of
    each field whose null is not `none`; `seen`: only while it, or what is shown at that path, is as
    it is now, or (`match`) has this tag. Raises RefusedError."""
    line = line_of(context)
    client = Client(line)
    if seen:
        match = client.tag(path if seen is True else seen)
    changed = client.send(method, path, body, kind, dry_run=dry_run, match=match, **query)
    if line.json:
        as_json(changed)
        return
    said(changed, what if isinstance(what, str) else what(changed.view), null or {})
    if show is not None:
        show(changed.view)
