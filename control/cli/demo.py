"""`sendgate demo`."""

import asyncio

import typer

from control.terminal.show import line_of


def demo(context: typer.Context) -> None:
    """Show the main job end to end, and check it against the policy."""
    # What runs a stack takes as long to import as all the other commands together.
    from control.cli.demoreport import Report
    from control.embedded.demo.run import run
    from control.embedded.stack.run import until_told

    line = line_of(context)
    work = run(line.data_dir if line.data_dir_given else None, Report(as_json=line.json))
    raise typer.Exit(asyncio.run(until_told(work, 130)))
