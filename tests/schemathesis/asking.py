"""schemathesis, run against one control as one role."""

import asyncio
import os
from pathlib import Path

from tests.schemathesis.report import Exclusion, Report, read
from tests.support.repository import ROOT

HERE = Path(__file__).parent
COMMAND = ROOT / ".venv-schemathesis" / "bin" / "schemathesis"

PHASES = "examples,coverage,fuzzing"
"""Not `stateful`: what may follow on what, the document does not say."""


async def asked(
    url: str,
    role: str,
    token: str,
    folder: Path,
    excused: list[Exclusion],
    *,
    examples: int,
    seed: int,
) -> Report:
    """Every operation of the document at `url`, asked with that token ('': without one); the same
    requests for the same `seed`, so that a build is no throw of dice."""
    events = folder / f"{role}.ndjson"
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    phases = PHASES if examples > SHORT else "examples,fuzzing"
    with (folder / f"{role}.txt").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(str(COMMAND), "run", f"{url}/api/openapi.json", *header),
            *("--checks", "all", "--phases", phases, "--mode", "all", "--continue-on-failure"),
            *(
                "--max-examples",
                str(examples),
                "--seed",
                str(seed),
                "--workers",
                "1",
                "--no-shrink",
            ),
            *("--max-redirects", "0", "--request-timeout", "30", "--no-color"),
            *("--suppress-health-check", "all", "--output-sanitize", "false"),
            *("--report", "ndjson", "--report-ndjson-path", str(events)),
            cwd=folder,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)},
            stdout=said,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    return read(role, events, excused)


SHORT = 3
"""Examples of an operation, beside those of the document, where nobody waits for more."""
