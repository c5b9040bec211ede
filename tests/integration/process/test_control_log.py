"""Control's log in a file that logrotate renames, with the configuration that is installed."""

import asyncio
import gzip
import os
import signal
from pathlib import Path

import msgspec

from control.embedded.servers import ports
from control.embedded.stack.toml import to_toml
from tests.conftest import CreateDatabase
from tests.faults.process import Served
from tests.faults.test_log_rotation import INSTALLED, configured, pytestmark, rotate
from tests.support.control.core import build, settings_for
from tests.support.entry import SENDGATE

__all__ = ["pytestmark"]
SAID = "SIGHUP: control has no certificate to read anew"


async def test_a_line_after_each_rotation_is_in_a_file_of_its_own(
    create_database: CreateDatabase, valkey_url: str, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o755)
    settings = settings_for(await create_database("control", build), valkey_url)
    settings = msgspec.structs.replace(
        settings, control=msgspec.structs.replace(settings.control, port=ports.choose())
    )
    file = tmp_path / "sendgate.toml"
    file.write_text(to_toml(settings))
    log = logs / "control.log"
    control = Served(
        *SENDGATE[1:],
        *("control", "--config", str(file)),
        folder=tmp_path,
        name="control",
        environment={"SENDGATE_LOG_FILE": str(log)},
    )
    configuration = configured(tmp_path, INSTALLED.read_text())
    await control.start()
    try:
        for _ in range(3):
            os.kill(control.pid, signal.SIGHUP)
            async with asyncio.timeout(20):
                while not (log.exists() and log.read_text()):
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(rotate, configuration)
    finally:
        await control.stop()
    kept = sorted(path for path in logs.iterdir() if path.name != "control.log")
    texts = [
        gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
        for path in kept
    ]
    assert [text.splitlines() for text in texts] == [[SAID]] * 3
