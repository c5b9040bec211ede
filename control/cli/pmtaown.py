"""`sendgate pmta own …`: lines of the operator's own in the blocks of VirtualMTAs and pools."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason
from control.plan.changed import Changed
from control.pmta.own import OwnLines
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.parts import All, Limit, listed
from control.terminal.show import as_json, line_of, say, table

PATH = "/api/v2/powermta/own"
app = typer.Typer(
    no_args_is_help=True, help="Lines of your own inside a VirtualMTA or pool of PowerMTA."
)
Match = Annotated[
    str | None,
    typer.Option(metavar="TAG", help="Only while they are as `pmta own show` showed them; or *."),
]
Name = Annotated[str, typer.Argument(help="VirtualMTA or pool.")]


@app.command("list")
def list_(context: typer.Context, limit: Limit = None, every: All = False) -> None:
    """Blocks that have some."""
    line = line_of(context)
    found = listed(Client(line), PATH, OwnLines, limit, every)
    if line.json:
        as_json(found)
    elif not found:
        say("no VirtualMTA or pool has lines of your own: `sendgate pmta own set NAME FILE`")
    else:
        rows = ((o.name, o.kind, o.tenant, len(o.lines.splitlines())) for o in found)
        table(("name", "block", "tenant", "lines"), rows)


@app.command()
def show(context: typer.Context, name: Name) -> None:
    """Those of one; its tag, for --if-match, stands on standard error."""
    line = line_of(context)
    found, tag = Client(line).tagged(f"{PATH}/{name}", OwnLines)
    if line.json:
        as_json({**msgspec.to_builtins(found), "tag": tag})
    else:
        print(found.lines, end="", flush=True)
        print(f"tag: {tag}", file=sys.stderr)


@app.command("set")
def set_(
    context: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(help="File with the lines; - reads them.")],
    if_match: Match = None,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Put lines into its block, in the place of those before."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"cannot read {file}: {error}") from error
    _put(context, name, text, f"lines of your own in {name}", reason, if_match, dry_run)


@app.command()
def remove(
    context: typer.Context,
    name: Name,
    if_match: Match = None,
    reason: Reason = "",
    dry_run: Dry = False,
) -> None:
    """Take them out of its block."""
    _put(context, name, "", f"no lines of your own in {name} any more", reason, if_match, dry_run)


def _put(
    context: typer.Context,
    name: str,
    lines: str,
    what: str,
    reason: str,
    if_match: str | None,
    dry_run: bool,
) -> None:
    body = {"lines": lines, "reason": reason}
    path, kind = f"{PATH}/{name}", Changed[OwnLines]
    # Without a tag: what is there now, whoever wrote it since it was shown.
    seen = if_match is None
    change(context, "PUT", path, body, kind, what, dry_run=dry_run, seen=seen, match=if_match or "")
