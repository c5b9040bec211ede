"""Which configuration a local command reads: --config, SENDGATE_CONFIG, the data dir's, the
system's."""

import os
from pathlib import Path
from typing import Annotated

import typer

from control.embedded.servers.datadir import STACK_FILE
from control.terminal.invocation import Invocation
from settings.load import load
from settings.model import Settings

Config = Annotated[Path | None, typer.Option("--config", help="Configuration file.")]


def configuration_file(line: Invocation, given: Path | None) -> Path | None:
    """The file to read; None leaves it to `settings.load`."""
    if given is not None or os.environ.get("SENDGATE_CONFIG"):
        return given
    own = line.data_dir / STACK_FILE
    return own if own.is_file() else None


def configuration(line: Invocation, given: Path | None) -> Settings:
    """The effective settings. Raises SettingsError with every problem."""
    return load(configuration_file(line, given))
