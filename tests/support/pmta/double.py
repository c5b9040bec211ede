"""PowerMTA's command as a program of its own, for whoever runs one."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from loadtest.pmta import double


class Pmta:
    """`loadtest.pmta.double`, with what it stands on in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.command = folder / "pmta"
        root = Path(__file__).parents[3]
        self.command.write_text(
            f"#!/bin/sh\nPMTA_DOUBLE={folder} PYTHONPATH={root} exec {sys.executable} "
            '-m loadtest.pmta.double "$@"\n'
        )
        self.command.chmod(0o755)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.command, *words], capture_output=True, text=True, timeout=30, env=dict(os.environ)
        )

    def put(self, name: str, value: object) -> None:
        """What it answers from now on."""
        file = self.folder / name
        beside = file.with_suffix(".new")
        beside.write_text(value if isinstance(value, str) else json.dumps(value))
        beside.replace(file)

    def restart(self) -> str:
        """As whoever restarts PowerMTA now: the whole text that runs then. Raises
        double.CommandError where it does not start."""
        return double.restart(self.folder)

    @property
    def running(self) -> str:
        """The whole text that was loaded last."""
        file = self.folder / "running"
        return file.read_text() if file.exists() else ""

    @property
    def log(self) -> list[str]:
        """Commands it was given, in order."""
        file = self.folder / "log"
        return file.read_text().splitlines() if file.exists() else []

    async def at(self, gate: str, within: float = 20.0) -> None:
        """Wait until it stands at this gate (`gates.json`)."""
        await asyncio.to_thread(self.reached, gate, within)

    def reached(self, gate: str, within: float = 20.0) -> None:
        """As `at`."""
        until = time.monotonic() + within
        at = self.folder / "at"
        while not at.exists() or at.read_text() != gate:
            assert time.monotonic() < until, f"it never came to {gate!r}"
            time.sleep(0.01)
