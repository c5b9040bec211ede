"""`sendgate up` as a process of its own, and what its stand-in received."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from control.cli.main import run
from tests.support.processes import family, send

SENDGATE = Path(sys.executable).with_name("sendgate")
FREE = ("--smtp-port", "0", "--api-port", "0", "--standin-port", "0", "--no-demo")
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("SENDGATE_") and name not in ("REDIS_URL", "DATABASE_URL")
}


class Up:
    """One `sendgate up`."""

    begun: ClassVar[list[Self]] = []
    """Those of the test that runs: one that fails leaves its own behind."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        with (data_dir.parent / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(
                [SENDGATE, "up", "--data-dir", str(data_dir), *(options or FREE)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=ENVIRONMENT,
                text=True,
            )
        self.begun.append(self)

    def ready(self) -> dict[str, str]:
        """What the ready line says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), (self.data_dir.parent / "stderr").read_text()
        return dict(word.split("=", 1) for word in line.split()[1:])

    def end(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL for all at once, without a word. First `up` is frozen and the gateway goes:
        PostgreSQL ends with `up`, and a gateway that outlived it by a moment keeps nothing."""
        gateway = int((self.data_dir / "log" / "gateway.lock").read_text())
        send([self.process.pid], signal.SIGSTOP)
        send([*family(gateway), self.process.pid], signal.SIGKILL)
        self.process.communicate()


def leftovers(data_dir: Path) -> list[str]:
    """Command lines of processes that name the data directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = entry.read_bytes().replace(b"\0", b" ").decode()
            if str(data_dir) in line and "pytest" not in line:
                found.append(line)
    return found


def command(data_dir: Path, *words: str) -> int:
    return run([*words, "--data-dir", str(data_dir)])


class Receipt(msgspec.Struct, frozen=True):
    """One recipient PowerMTA took, by its accounting."""

    day: str
    vmta: str
    rcpt: str
    envelope: str


def receipts(data_dir: Path) -> list[Receipt]:
    """Of all messages but probes, in order, over restarts of the stand-in."""
    files = sorted((data_dir / "pmta" / "accounting").glob("sendgate-*.csv"))
    rows = (row for f in files for row in csv.DictReader(f.read_text("utf-8").splitlines()))
    return [
        Receipt(row["timeLogged"][:10], row["vmta"], row["rcpt"], row["envId"])
        for row in rows
        if row["type"] == "r" and not row["envId"].startswith("probe-")
    ]
