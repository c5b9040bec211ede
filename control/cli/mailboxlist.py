"""`sendgate mailbox import|export`: whole lists as CSV."""

import csv
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from control.cli.mailbox import Tenant, path
from control.cli.mailbox import app as app
from control.cli.removal import Dry
from control.mailboxes.importing import COLUMNS, Imported
from control.plan.changed import Changed
from control.plan.rows import MailboxRow
from control.problem import RefusedError
from control.terminal.client import PART, Client
from control.terminal.show import as_json, line_of, said, say
from policy.number import agree, count

_OCTETS = 9_000_000
"""Of a list; control takes bodies of 10 MB (control.max_body)."""


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV; - reads standard input.")],
    tenant: Tenant,
    dry_run: Dry = False,
) -> None:
    """Give the mailboxes of a list limits of their own: all of them, or none. The first line names
    the columns: address, and any of daily_max, daily_min, spacing, spacing_max, ramp_from, ramp
    (`50 200 500`), per_minute and per_hour. An empty cell takes the tenant's; a column that is not
    there stays as it is. With --dry-run it says how many would be added and changed, and every line
    that is wrong."""
    line = line_of(context)
    text = _read(file)
    lines = text.count("\n") + (not text.endswith("\n"))
    console = Console(stderr=True)
    shown = not line.json and console.is_terminal
    doing = f"{count(lines, 'line')}: checking" + ("" if dry_run else ", writing and publishing")
    with console.status(doing) if shown else nullcontext():
        done = Client(line).send(
            *("POST", f"{path(tenant)}/import", {"csv": text}, Changed[Imported]), dry_run=dry_run
        )
    if line.json:
        as_json(done)
        return
    found = done.view
    said(
        done,
        f"{count(found.rows, 'mailbox')} of {found.tenant}: {found.added} added, "
        f"{found.changed} changed, "
        f"{found.unchanged} {agree(found.unchanged, 'was', 'were')} like that",
    )


@app.command()
def export(
    context: typer.Context,
    tenant: Tenant,
    output: Annotated[Path | None, typer.Option(help="File instead of the screen.")] = None,
    containing: Annotated[str | None, typer.Option(help="Only addresses with this.")] = None,
) -> None:
    """Mailboxes with limits of their own as CSV; `import` takes it."""
    line = line_of(context)
    client = Client(line)
    if line.json and output is None:
        as_json(client.pages(path(tenant), MailboxRow, containing=containing))
        return
    beside = None if output is None else output.with_name(f".{output.name}.part")
    try:
        with (
            nullcontext(sys.stdout)
            if beside is None
            else beside.open("w", encoding="utf-8", newline="") as target
        ):
            written = _export(client, tenant, containing, target)
        if beside is not None and output is not None:
            beside.replace(output)
            if line.json:
                as_json({"written": written, "file": str(output)})
            else:
                say(f"{count(written, 'mailbox')} written to {output}")
    except OSError as error:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise RefusedError(f"cannot write {output}: {error.strerror}") from error
    except RefusedError:
        if beside is not None:
            beside.unlink(missing_ok=True)
        raise


def _export(client: Client, tenant: str, containing: str | None, target: TextIO) -> int:
    writer = csv.writer(target)
    written, after = 0, None
    while True:
        part = client.get(
            path(tenant), list[MailboxRow], limit=PART, after=after, containing=containing
        )
        # Behind the first answer: where it is refused, nothing was written.
        if after is None:
            writer.writerow(COLUMNS)
        for row in part:
            values = [getattr(row, column) for column in COLUMNS]
            writer.writerow(["" if v is None else _cell(v) for v in values])
        written += len(part)
        if len(part) < PART:
            return written
        after = part[-1].address


def _cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return value


def _read(file: Path) -> str:
    """Raises RefusedError."""
    try:
        if str(file) == "-":
            octets = sys.stdin.buffer.read(_OCTETS + 1)
        else:
            with file.open("rb") as source:
                octets = source.read(_OCTETS + 1)
        if len(octets) > _OCTETS:
            raise RefusedError(f"{file} has over {_OCTETS} octets: split it")
        return octets.decode("utf-8-sig")
    except OSError as error:
        raise RefusedError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file} is not UTF-8: octet {error.start}") from error
