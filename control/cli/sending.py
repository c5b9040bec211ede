"""`sendgate warmup start|stop|trigger`: all sending at once."""

from typing import Literal

import typer

from control.cli.change import change
from control.cli.removal import Dry, Reason
from control.plan.changed import Changed
from control.stop.control import ControlView

PATH = "/api/warmup/control"


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
        *(context, "POST", PATH, {"action": action, "reason": reason}),
        Changed[ControlView],
        lambda view: f"sending {'runs' if view.running else 'is stopped'}",
        dry_run=dry_run,
    )
