"""`sendgate warmup …`."""

import typer

from control.cli import consolidation

app = typer.Typer(no_args_is_help=True, help="Warm-up, and the days it is judged by.")
app.command()(consolidation.consolidate)
app.command()(consolidation.days)
