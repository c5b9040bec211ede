"""`sendgate suppression import|export`: whole lists as CSV, in parts, whatever their length."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from control.cli.removal import Dry
from control.cli.suppression import PATH, Everybody, Kind, Tenant, scope
from control.cli.suppression import app as app
from control.problem import RefusedError, quoted
from control.suppressions.entry import AT_ONCE, SuppressionView, is_reason
from control.suppressions.suppressions import Imported, SuppressionPage
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say
from policy.number import count as numbered
from policy.suppression import REASONS

COLUMNS = ("address", "tenant", "reason", "origin", "note", "since", "until")
_NAMES = {
    **dict.fromkeys(
        ("address", "email", "e-mail", "email_address", "recipient", "rcpt"), "address"
    ),
    **dict.fromkeys(("reason", "type", "source"), "reason"),
    **dict.fromkeys(("until", "expires", "expires_at"), "until"),
    **dict.fromkeys(("note", "comment", "description", "message"), "note"),
}
"""Names of columns, as lists in the wild have them."""
_OCTETS = 4_000_000
"""Of one part: control takes bodies of 10 MB (control.max_body)."""
_SHOWN = 20
_WORDS_SHOWN = 5
_CLEAN = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), "\ufffd")


class Row(NamedTuple):
    """One of a list."""

    line: int
    fields: dict[str, str]


class Refused(NamedTuple):
    """A row that was not taken."""

    line: int
    address: str
    why: str


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV; - reads standard input.")],
    tenant: Tenant = None,
    everybody: Everybody = False,
    rejected: Annotated[
        Path | None, typer.Option(help="File to write the rows to that were not taken.")
    ] = None,
    allow_refused: Annotated[
        bool, typer.Option("--allow-refused", help="End with 0 all the same.")
    ] = False,
    dry_run: Dry = False,
) -> None:
    """Suppress the addresses of a list: one a line, or CSV with a header that names a column
    address or email (also reason, until, note). The same list again changes nothing, so one that
    was interrupted is just given again. Exit code 1 where rows were not taken; all others were."""
    line, whose = line_of(context), scope(tenant, everybody)
    client = Client(line)
    added = changed = unchanged = 0
    refused: list[Refused] = []
    words: Counter[str] = Counter()
    count = 0
    with _opened(file) as source, _progress(line.json) as progress:
        task = progress.add_task(str(file), total=None) if progress else None
        for part in _parts(_rows(source)):
            body = {"tenant": whose, "rows": [row.fields for row in part]}
            done = client.send("POST", f"{PATH}/import", body, Imported, dry_run=dry_run)
            added, changed = added + done.added, changed + done.changed
            unchanged += done.unchanged
            for problem in done.refused:
                row = part[problem.row]
                refused.append(Refused(row.line, row.fields["address"], problem.why))
            named = (row.fields.get("reason", "").strip() for row in part)
            words.update(word for word in named if not is_reason(word))
            count += len(part)
            if progress and task is not None:
                progress.update(task, completed=count)
    if rejected is not None:
        _write_rejected(rejected, refused)
    if line.json:
        shown = [one._asdict() for one in refused[:AT_ONCE]]
        as_json(
            {"rows": count, "added": added, "changed": changed, "unchanged": unchanged,
             "refused": len(refused), "rejected": shown, "other": dict(words), "dry_run": dry_run}
        )  # fmt: skip
    else:
        _told(refused, count, added, changed, unchanged, dry_run=dry_run)
        if words:
            shown_ = ", ".join(f"{quoted(word)}" for word, _ in words.most_common(_WORDS_SHOWN))
            say(
                f"{words.total()} of {numbered(count, 'row')} have a reason that is none of ours "
                f"({shown_}): "
                f"they are `other`, with their word in the note; ours are {', '.join(REASONS)}"
            )
    if refused and not allow_refused:
        raise typer.Exit(1)


def _told(
    refused: list[Refused], count: int, added: int, changed: int, unchanged: int, *, dry_run: bool
) -> None:
    dry = " (dry run, nothing was changed)" if dry_run else ""
    say(f"{numbered(count, 'row')}: {added} added, {changed} changed, {unchanged} were there{dry}")
    for one in refused[:_SHOWN]:
        say(f"line {one.line} was not taken: {one.why}")
    if refused:
        say(
            f"{len(refused)} of {numbered(count, 'row')} were not taken (--rejected FILE has "
            f"them all)"
        )


@app.command()
def export(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option(help="File instead of the screen.")] = None,
    tenant: Tenant = None,
    everybody: Everybody = False,
    reason: Kind = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended, too.")] = False,
) -> None:
    """All of them as CSV, the oldest change first; `import` takes it. Forgotten addresses are in no
    list: they stay suppressed here."""
    line = line_of(context)
    client = Client(line)
    query = {"tenant": tenant, "everybody": "1" if everybody else None, "reason": reason}
    query["ended"] = "1" if ended else None
    if line.json and output is None:
        as_json([one for page in _pages(client, query) for one in page])
        return
    beside = None if output is None else output.with_name(f".{output.name}.part")
    try:
        with (
            nullcontext(sys.stdout)
            if beside is None
            else beside.open("w", encoding="utf-8", newline="") as target
        ):
            count = _export(client, query, target)
        if beside is not None and output is not None:
            beside.replace(output)
            if line.json:
                as_json({"written": count, "file": str(output)})
            else:
                say(f"{count} written to {output}")
    except OSError as error:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise RefusedError(f"cannot write {output}: {error.strerror}") from error
    except RefusedError:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise


def _export(client: Client, query: dict[str, str | None], target: TextIO) -> int:
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    count = 0
    for page in _pages(client, query):
        for one in page:
            writer.writerow([getattr(one, column) or "" for column in COLUMNS])
        count += len(page)
    return count


def _pages(client: Client, query: dict[str, str | None]) -> Iterator[list[SuppressionView]]:
    """Those that are named."""
    after: int | None = 0
    while after is not None:
        page = client.get(PATH, SuppressionPage, **query, after=str(after), limit=str(AT_ONCE))
        yield [one for one in page.suppressions if one.address]
        after = page.after


def _opened(file: Path) -> Any:
    if str(file) == "-":
        return nullcontext(sys.stdin)
    try:
        return file.open(encoding="utf-8-sig", errors="replace", newline="")
    except OSError as error:
        raise RefusedError(f"cannot read {file}: {error.strerror}") from error


def _progress(quiet: bool) -> Any:
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return nullcontext(None)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console,
    )  # fmt: skip


def _rows(source: TextIO) -> Iterator[Row]:
    """With a header or without. Raises RefusedError for a header without a column of addresses."""
    first = source.readline()
    delimiter = next((d for d in (",", ";", "\t") if d in first), ",")
    names = next(csv.reader([first], delimiter=delimiter), [])
    columns = [_NAMES.get(name.strip().lower(), "") for name in names]
    if "address" not in columns:
        if not (names and "@" in names[0]):
            raise RefusedError(
                "the list has no column address: its first line is a header that names one, or an "
                "address"
            )
        # No header: of each line the first field.
        yield Row(1, {"address": names[0].translate(_CLEAN)})
        columns = ["address"]
    reader = csv.reader(source, delimiter=delimiter)
    try:
        for values in reader:
            fields = {
                name: value.translate(_CLEAN)
                for name, value in zip(columns, values, strict=False)
                if name and value
            }
            if fields:
                yield Row(reader.line_num + 1, {"address": "", **fields})
    except csv.Error as error:
        raise RefusedError(f"line {reader.line_num + 1} is not CSV: {error}") from error


def _parts(rows: Iterator[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    octets = 0
    for row in rows:
        part.append(row)
        octets += 64 + sum(6 * len(value) for value in row.fields.values())
        if len(part) == AT_ONCE or octets > _OCTETS:
            yield part
            part, octets = [], 0
    if part:
        yield part


def _write_rejected(file: Path, refused: list[Refused]) -> None:
    try:
        with file.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target)
            writer.writerow(Refused._fields)
            writer.writerows(refused)
    except OSError as error:
        raise RefusedError(f"cannot write {file}: {error.strerror}") from error
