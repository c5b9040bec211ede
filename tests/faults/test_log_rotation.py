"""logrotate runs under load, with the configuration that is installed: no line is lost."""

import asyncio
import getpass
import grp
import gzip
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.faults.conftest import Begin
from tests.support.repository import ROOT

pytestmark = pytest.mark.skipif(
    shutil.which("logrotate") is None and not Path("/usr/sbin/logrotate").exists(),
    reason="no logrotate here (installed by .ci/run)",
)
INSTALLED = ROOT / "deploy" / "logrotate" / "sendgate"


def configured(folder: Path, text: str) -> Path:
    """The installed file, for logs and an account of this machine."""
    mine = f"su {getpass.getuser()} {grp.getgrgid(os.getgid()).gr_name}"
    text = text.replace("su sendgate sendgate", mine)
    file = folder / "logrotate.conf"
    file.write_text(text.replace("/var/log/sendgate/", f"{folder}/logs/"))
    # It takes no configuration that others write.
    file.chmod(0o644)
    return file


def rotate(configuration: Path) -> None:
    state = configuration.with_name("state")
    path = f"{os.environ['PATH']}:/usr/sbin"
    done = subprocess.run(
        ["logrotate", "--force", "--state", str(state), str(configuration)],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def lines_of(file: Path) -> list[dict[str, Any]]:
    """A line that is not whole is an error here."""
    raw = file.read_bytes()
    raw = gzip.decompress(raw) if file.suffix == ".gz" else raw
    assert raw.endswith(b"\n") or not raw
    return [msgspec.json.decode(line) for line in raw.splitlines() if line.startswith(b"{")]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (INSTALLED.read_text(), True),
        (INSTALLED.read_text().replace("delaycompress", "nodelaycompress"), False),
    ],
    ids=["as installed", "packed at once"],
)
async def test_no_line_is_lost(
    begin: Begin, folder: Path, scale: int, text: str, whole: bool
) -> None:
    logs = folder / "logs"
    logs.mkdir(mode=0o755)
    scenario = await begin(
        "logrotate under load", load={"rate": 150.0}, log={"file": str(logs / "gateway.log")}
    )
    configuration = configured(folder, text)
    scenario.load.start()
    for _ in range(6):
        await scenario.load.until_offered(len(scenario.load.offers) + 200 * scale)
        await asyncio.to_thread(rotate, configuration)
    await scenario.load.until_offered(len(scenario.load.offers) + 200 * scale)
    await scenario.load.finish()
    await scenario.stack.gateway.stop()
    files = sorted(logs.iterdir())
    assert len(files) == 7, files
    found = [lines_of(file) for file in files]
    named = [
        recipient
        for line in (line for lines in found for line in lines)
        if line["event"] == "message"
        for recipient in line["recipients"]
    ]
    offered = {r for offer in scenario.load.offers if offer.answers for r in offer.mail.recipients}
    if not whole:
        assert offered - set(named)
        return
    assert offered - set(named) == set()
    assert all(lines for lines in found), "a file that nobody wrote to"
