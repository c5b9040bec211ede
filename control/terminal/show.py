"""How answers look: JSON as the API gave it, or tables for people."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from control.plan.changed import Changed
from control.terminal.invocation import Invocation
from control.values.inert import inert

EMPTY: Mapping[str, str] = MappingProxyType({})


def line_of(context: typer.Context) -> Invocation:
    """The options of every command."""
    found = context.find_root().obj
    assert isinstance(found, Invocation)
    return found


def as_json(value: Any) -> None:
    """A value as indented JSON on standard output."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode(), flush=True)


def console() -> Console:
    """Standard output. Lines stay whole when it is a file or a pipe."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=200)


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], title: str = "") -> None:
    """A table; text from outside is never read as markup, nor by the terminal."""
    made = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(inert(cell(value))) for value in row))
    console().print(made)


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return "-"
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return " ".join(f"{k}={v}" for k, v in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(cell(one) for one in value) or "-"
    return str(value)


def _text(value: Any, null: str) -> str:
    """A value as people write it; null by the word options have for it."""
    if value is None:
        return null
    if value in ((), [], {}, ""):
        return "none"
    return value if isinstance(value, str) else cell(value)


def say(text: str) -> None:
    """One line on standard output; what is in it from outside is inert."""
    print(inert(text), flush=True)


def said(changed: Changed[Any], what: str, null: Mapping[str, str] = EMPTY) -> None:
    """What a change did, and who does not run it yet. `null`: words for null, by field."""
    if not changed.changed:
        say(f"nothing to do: {'; '.join(changed.notes)}")
        return
    if changed.dry_run:
        say(f"{what}: would be done (dry run, nothing was changed)")
    else:
        say(f"{what}: done, generation {changed.generation}")
    several = len({one.subject for one in changed.differences}) > 1
    for one in changed.differences:
        field = f"{one.subject} {one.field}" if several else one.field
        word = null.get(one.field, "none")
        say(f"  {field}: {_text(one.before, word)} -> {_text(one.after, word)}")
    if changed.late:
        say(f"not yet run by: {', '.join(changed.late)}")
    for text in changed.notes:
        say(f"note: {text}")
