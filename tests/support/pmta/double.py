"""PowerMTA's command as a program of its own, for whoever runs one."""

import json
import os
import subprocess
import sys
from pathlib import Path


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
