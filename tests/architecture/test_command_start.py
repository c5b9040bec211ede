"""A command asks an API and ends: what only servers need would be most of its time."""

import subprocess
import sys

HEAVY = ("alembic", "sqlalchemy", "aiohttp", "aiosmtpd", "control.parts", "control.app")
"""With these, `sendgate --version` took 1.1 s of a processor; without, 0.5."""


def test_a_command_imports_nothing_that_only_a_server_needs() -> None:
    asked = f"import control.cli.main, sys; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
