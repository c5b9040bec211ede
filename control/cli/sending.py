"""`sendgate warmup start|stop|trigger`: all sending at once."""

from typing import Literal

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason
from control.plan.changed import Changed
from control.stop.control import ControlView
from control.terminal.client import Client
from control.terminal.show import say

PATH = "/api/warmup/control"
_DONE = {
    "start": "all sending started",
    "stop": "all sending stopped",
    "trigger": "one look at all held mail and at all IPs",
}


def start(context: typer.Context, reason: Reason = "", dry_run: Dry = False) -> None:
    """Let all mail go again, and warm-up decide."""
    _act(context, "start", reason, dry_run)


def stop(context: typer.Context, reason: Reason = "", dry_run: Dry = False) -> None:
    """Send nothing, of anybody: mail is held, warm-up decides nothing, until `warmup start`."""
    _act(context, "stop", reason, dry_run)


def trigger(context: typer.Context, reason: Reason = "", dry_run: Dry = False) -> None:
    """Look now, once, at all held mail and at all IPs."""
    _act(context, "trigger", reason, dry_run)


def _act(
    context: typer.Context, action: Literal["start", "stop", "trigger"], reason: str, dry_run: bool
) -> None:
    change(
        *(context, "POST", PATH, {"action": action, "reason": reason}, Changed[ControlView]),
        _DONE[action],
        dry_run=dry_run,
    )


def say_stopped(client: Client) -> None:
    """Where all sending is stopped, that figures of what may go next wait for its start."""
    found = client.get(PATH, ControlView)
    if not found.running:
        why = "all sending is stopped" if found.stopped is None else found.stopped.sentence()
        say(f"{why}: nothing below goes before `sendgate warmup start`")
