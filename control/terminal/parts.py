"""`--limit N` and `--all` of commands that list: the same words everywhere.

Rule: `--all` goes on where the `Link` of each answer says, so that nothing is missed or shown twice
while entries come and go. Lists of what somebody set up (tenants, IPs) are shown whole without it,
as they always were; of what happens by itself (messages, the audit log) a part is.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from control.terminal.client import PART, Client, Parameter
from control.terminal.show import say
from control.terminal.usage import misused
from control.values.part import Part, Slice

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
    one_of_both(limit, every)
    return client.pages(path, kind, most=limit, **query)


async def gathered(
    read: Callable[[Part], Awaitable[Slice[T]]], sort: str, limit: int | None
) -> list[T]:
    """The same for a command that asks the database itself, in one transaction."""
    found: list[T] = []
    part: Part | None = Part(sort=sort, limit=PART)
    while part is not None and (limit is None or len(found) < limit):
        size = PART if limit is None else min(PART, limit - len(found))
        some = await read(msgspec.structs.replace(part, limit=size))
        found += some.entries
        part = None if some.after is None else msgspec.structs.replace(part, after=some.after)
    return found


def first(entries: Sequence[T], limit: int | None) -> list[T]:
    """Of those that are all at hand."""
    return list(entries[:limit])


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
    one_of_both(query.get("limit"), every)
    return client.whole(path, kind, rows, **{**query, "limit": PART})


def say_more(client: Client) -> None:
    """Where the answer is not the last part, and has no field that says so."""
    if client.more:
        say("more: --all, or a greater --limit")


def one_of_both(limit: int | None, every: bool) -> None:
    """Raises a usage error."""
    if every and limit is not None:
        raise misused("--limit and --all contradict each other: give one of them")
