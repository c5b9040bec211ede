"""`sendgate control`, `gateway`, `up`, `load`: commands that are processes of their own."""

import asyncio
import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Annotated

import typer

from control import collector
from control.terminal.configuration import Config, configuration, configuration_file
from control.terminal.show import line_of
from settings import coredump


def control(context: typer.Context, config: Config = None) -> None:
    """Run the control plane: the API."""
    import uvloop

    from control.app import run

    coredump.without()
    collector.spare()
    settings = configuration(line_of(context), config)
    if settings.log.file:
        # Finds its file again after a rename, as the gateway's log does.
        logging.getLogger().addHandler(WatchedFileHandler(settings.log.file, encoding="utf-8"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings))


def gateway(context: typer.Context, config: Config = None) -> None:
    """Run the gateway in the place of this process."""
    file = configuration_file(line_of(context), config)
    if file is None and os.environ.get("SENDGATE_CONFIG"):
        file = Path(os.environ["SENDGATE_CONFIG"])
    arguments = [sys.executable, "-m", "gateway"]
    if file is not None:
        arguments += ["--config", str(file)]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter, no shell wanted


def up(
    context: typer.Context,
    config: Config = None,
    smtp_port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 2587,
    api_port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 8000,
    pmta: Annotated[
        str | None, typer.Option(help="HOST:PORT of a PowerMTA instead of the stand-in.")
    ] = None,
    standin_port: Annotated[
        int,
        typer.Option(
            min=0, max=65_535, help="Where the PowerMTA stand-in listens; 0: any free one."
        ),
    ] = 2525,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Gateway workers.")] = None,
    no_demo: Annotated[
        bool, typer.Option("--no-demo", help="No demo tenants (with --pmta there are none anyway).")
    ] = False,
) -> None:
    """Run the whole product on this machine, until SIGTERM."""
    import uvloop

    from control.embedded.stack.options import Options, pmta_address
    from control.embedded.stack.run import until_told
    from control.embedded.stack.run import up as serve

    coredump.without()
    line = line_of(context)
    options = Options(
        data_dir=line.data_dir,
        config=config,
        smtp_port=smtp_port,
        api_port=api_port,
        pmta=pmta_address(pmta, "--pmta") if pmta else None,
        standin_port=standin_port,
        workers=workers,
        demo_tenants=not no_demo,
        json=line.json,
    )
    collector.spare()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        raise typer.Exit(runner.run(until_told(serve(options), 0)))


def load(
    context: typer.Context,
    scenario: Annotated[
        str, typer.Option(help="ci, ten-minutes, ten-minutes-short, day, or a TOML file.")
    ] = "",
    from_csv: Annotated[
        Path | None,
        typer.Option(help="Make a scenario from traffic: time, sender, recipient domain."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for the result (JSON), or for that scenario (TOML).")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="File for the report (HTML).")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder that the stack's files stay in; else they go.")
    ] = None,
) -> None:
    """Run a load scenario against a stack of its own, judged by PowerMTA's books."""
    given = {"scenario": scenario, "from-csv": from_csv, "output": output}
    given |= {"report": report, "keep": keep}
    words = [word for name, value in given.items() if value for word in (f"--{name}", str(value))]
    if line_of(context).json:
        words.append("--json")
    # The load laboratory is a black box: it knows nothing of the product, nor this of it.
    os.execv(sys.executable, [sys.executable, "-m", "loadtest.laboratory", *words])  # noqa: S606 - our own interpreter, no shell wanted
