"""`sendgate warmup import`: IPs that ran elsewhere go on where they were."""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from control.plan.changed import Changed
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, said, say, table
from control.warmup.taking import TakenView
from policy.number import count

PATH = "/api/v2/warmup/import"
_TEXTS = ("tenant", "domain", "ip", "plan")
_NUMBERS = ("stage", "day", "sent", "bounced", "complaints")
_NEEDED = {"tenant", "domain", "ip", "stage"}


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a header line.")],
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else it is only shown.")] = False,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
) -> None:
    """Take over IPs: tenant, domain, ip, stage, day (in the stage, from 1), and plan, sent,
    bounced, complaints where they are known; all rows or none."""
    line = line_of(context)
    body = {"rows": read(file), "reason": reason}
    changed = Client(line).send("POST", PATH, body, Changed[list[TakenView]], dry_run=not apply)
    if line.json:
        as_json(changed)
        return
    table(
        ("tenant", "domain", "IP", "", "stage", "day", "quota"),
        (
            (v.tenant, v.domain, v.ip, "new" if v.new else "here", v.stage, v.day, v.quota)
            for v in changed.view
        ),
    )
    said(changed, f"{count(len(changed.view), 'IP')} taken over")
    if not apply:
        say("nothing was changed: --apply does it")


def read(file: Path) -> list[dict[str, Any]]:
    """Its rows. Raises RefusedError with the line."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened)
            names = {(name or "").strip().lower() for name in reader.fieldnames or ()}
            if lacking := _NEEDED - names:
                raise RefusedError(f"{file}: column {sorted(lacking)[0]} is missing")
            if unknown := names - {*_TEXTS, *_NUMBERS}:
                known = ", ".join((*_TEXTS, *_NUMBERS))
                raise RefusedError(f"{file}: no column is {sorted(unknown)[0]!r}; known: {known}")
            return [_row(file, reader.line_num, row) for row in reader]
    except OSError as error:
        raise RefusedError(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RefusedError(f"{file}: it is no CSV in UTF-8 ({error})") from error


def _row(file: Path, number: int, row: dict[str | Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in row.items():
        if not isinstance(name, str) or (text is not None and not isinstance(text, str)):
            raise RefusedError(f"{file}: line {number} has more fields than the header line")
        key, value = name.strip().lower(), (text or "").strip()
        if not value:
            continue
        if key in _NUMBERS and not (value.isascii() and value.isdigit()):
            raise RefusedError(f"{file}: line {number}: {key}: {value!r} is not a whole number")
        found[key] = int(value) if key in _NUMBERS else value
    if lacking := _NEEDED - found.keys():
        raise RefusedError(f"{file}: line {number}: {sorted(lacking)[0]} is missing")
    return found
