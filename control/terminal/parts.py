"""`--limit N` and `--all` of commands that list: the same words everywhere.

Rule: `--all` goes on where the `Link` of each answer says, so that nothing is missed or shown twice
while entries come and go. Lists of what somebody set up (tenants, IPs) are shown whole without it,
as they always were; of what happens by itself (messages, the audit log) a part is.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import typer

from control.terminal.client import PART, Client, Parameter
from control.terminal.show import say
from control.terminal.usage import misused

T = TypeVar("T")

Limit = Annotated[int | None, typer.Option(min=1, help="At most so many; without it all.")]
All = Annotated[bool, typer.Option("--all", help="All of them, part after part.")]


def listed(
    client: Client,
    path: str,
    kind: type[T],
    limit: int | None,
    every: bool,
    **query: Parameter,
) -> list[T]:
    """A list that is shown whole, unless a limit is given. Raises RefusedError."""
    _one_of(limit, every)
    return client.pages(path, kind, most=limit, **query)


def part_of(
    client: Client,
    path: str,
    kind: type[T],
    query: Mapping[str, Any],
    *,
    every: bool,
    rows: str = "",
) -> T:
    """An answer with a part of a list, or with all of it; `rows`: its field that has the entries;
    '': it is a list. Raises RefusedError."""
    if not every:
        return client.get(path, kind, **query)
    _one_of(query.get("limit"), every)
    return client.whole(path, kind, rows, **{**query, "limit": PART})


def say_more(client: Client) -> None:
    """Where the answer is not the last part, and has no field that says so."""
    if client.more:
        say("more: --all, or a greater --limit")


def _one_of(limit: int | None, every: bool) -> None:
    if every and limit is not None:
        raise misused("--limit and --all contradict each other: give one of them")
