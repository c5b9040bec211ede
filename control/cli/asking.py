"""`sendgate clock …`, `sendgate ledger …`, `sendgate pmta …`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from control.ledger.clock import ClockView
from control.ledger.status import LedgerState, LedgerStatus
from control.pmta.handover import write_keys
from control.pmta.key import KeyFile
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.show import as_json, line_of, say

clock = typer.Typer(no_args_is_help=True, help="Calendar time; moves in an embedded stack only.")
ledger = typer.Typer(no_args_is_help=True, help="Whether the counters can be trusted.")
pmta = typer.Typer(no_args_is_help=True, help="PowerMTA.")


@clock.command("show")
def show_clock(context: typer.Context) -> None:
    """Calendar time now."""
    _clock(context, Client(line_of(context)).get("/api/v2/clock", ClockView))


@clock.command("set")
def set_clock(context: typer.Context, time: Annotated[str, typer.Argument()]) -> None:
    """Move forward to an ISO time."""
    client = Client(line_of(context))
    _clock(context, client.send("POST", "/api/v2/clock", {"set": time}, ClockView))


@clock.command("advance", context_settings={"ignore_unknown_options": True})
def advance_clock(
    context: typer.Context, step: Annotated[str, typer.Argument(help="1d, 90m, 30s")]
) -> None:
    """Move forward by a step; there is no way back."""
    client = Client(line_of(context))
    _clock(context, client.send("POST", "/api/v2/clock", {"advance": step}, ClockView))


@ledger.command()
def status(context: typer.Context) -> None:
    """Open, rebuilding, lost or away, since when, and what it waits for; exit 1 unless open."""
    found = Client(line_of(context)).get("/api/v2/ledger", LedgerStatus)
    _ledger(context, found)
    if found.state is not LedgerState.OPEN:
        raise typer.Exit(1)


@ledger.command("open")
def open_(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Some of today's counts are gone.")] = False,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "",
) -> None:
    """Open a ledger that lost its counts without waiting, or the IPs it left closed."""
    if not yes:
        raise RefusedError(
            "opening gives every IP its quota again today, less what accounting knows of; say "
            "--yes if that is wanted"
        )
    body = {"confirm": True, "reason": reason}
    client = Client(line_of(context))
    _ledger(context, client.send("POST", "/api/v2/ledger", body, LedgerStatus))


@pmta.command()
def config(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option(help="File instead of the screen.")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="Folder to write the private DKIM keys to, mode 0600.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="As its agent is offered it; else of all in one.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Only the VirtualMTAs and pools of this tenant.")
    ] = None,
    file: Annotated[str | None, typer.Option(help="Only this one of a server's files.")] = None,
) -> None:
    """PowerMTA's configuration for what exists: one text of all, or a server's, or a part of it."""
    line = line_of(context)
    only = {"server": server, "tenant": tenant, "file": file}
    text = Client(line).text("/api/v2/powermta/config", **only)
    files = Client(line).pages("/api/v2/powermta/keys", KeyFile) if keys else []
    if keys is not None:
        try:
            keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(f"cannot write to {keys}: {error.strerror}") from error
        write_keys(keys, {file.name: file.pem.encode() for file in files})
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RefusedError(f"cannot write {output}: {error.strerror}") from error
    if line.json:
        written = [str(keys / file.name) for file in files] if keys else []
        as_json({"config": text, "output": str(output) if output else "", "keys": written})
    elif output is None:
        print(text, end="", flush=True)
    else:
        say(f"written to {output}")


@pmta.command()
def agent(
    config: Annotated[
        Path, typer.Option(help="Its configuration file (deploy/config/agent.toml).")
    ] = Path("/etc/sendgate/agent.toml"),
    pipe: Annotated[
        bool, typer.Option("--pipe", help="As PowerMTA's `<acct-file |command>`: records come in.")
    ] = False,
    configuration_only: Annotated[
        bool,
        typer.Option(
            "--configuration-only", help="Keep PowerMTA's configuration, and ship no accounting."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what the offered configuration would change; write nothing."
        ),
    ] = False,
) -> None:
    """Run the agent on PowerMTA's host in the place of this process: it ships accounting, and keeps
    PowerMTA's configuration where its file says so."""
    if sum((pipe, configuration_only, dry_run)) > 1:
        raise typer.BadParameter("of --pipe, --configuration-only and --dry-run give one")
    module = "control.agent.applying" if configuration_only or dry_run else "control.agent"
    arguments = [sys.executable, "-m", module, "--config", str(config)]
    arguments += ["--pipe"] if pipe else ["--dry-run"] if dry_run else []
    # A process of its own imports a third of what this one has: it shares PowerMTA's machine.
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter, no shell wanted


def _clock(context: typer.Context, view: ClockView) -> None:
    if line_of(context).json:
        as_json(view)
        return
    say(f"{view.now} (the machine's time plus {view.offset_seconds:g} s)")


def _ledger(context: typer.Context, status: LedgerStatus) -> None:
    if line_of(context).json:
        as_json(status)
        return
    say(f"ledger {status.name} is {status.state.value}: {status.detail}")
    for problem in status.problems:
        say(f"warning: {problem}")
