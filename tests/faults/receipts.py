"""What PowerMTA has taken, from its accounting files: they outlive the process that wrote them."""

import csv
import time
from pathlib import Path

import msgspec

from policy.identity import PROBE, parse_envelope


class Receipt(msgspec.Struct, frozen=True):
    """One r record: PowerMTA took this message for this recipient."""

    recipient: str
    vmta: str
    envelope: str
    seen: float
    """`time.monotonic()` of the look that found it."""

    @property
    def day(self) -> int:
        """Day of the grant, -1 for an envelope id that is not ours."""
        parsed = parse_envelope(self.envelope)
        return parsed.day if parsed else -1

    @property
    def message(self) -> str:
        """The message id, '' for an envelope id that is not ours."""
        parsed = parse_envelope(self.envelope)
        return parsed.message if parsed else ""


class Receipts:
    """The r records of a folder of accounting files, our own probes left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._positions: dict[int, int] = {}
        self.all: list[Receipt] = []
        self.probes = 0

    def read(self) -> list[Receipt]:
        """Everything so far, in file order. Whole lines only: the writer may be at work."""
        # By name: day and number are the order of writing.
        files = sorted(self._folder.glob("*-*.csv"))
        for path in files:
            with path.open("rb") as file:
                # By inode: a file may be moved.
                number = path.stat().st_ino
                start = self._positions.get(number, 0)
                file.seek(start)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._positions[number] = start + len(whole)
            for row in csv.reader(whole.decode().splitlines()):
                self._take(row)
        return self.all

    def by_recipient(self) -> dict[str, list[Receipt]]:
        """Receipts of each recipient."""
        found: dict[str, list[Receipt]] = {}
        for receipt in self.read():
            found.setdefault(receipt.recipient, []).append(receipt)
        return found

    def _take(self, row: list[str]) -> None:
        if not row or row[0] != "r":
            return
        recipient, vmta, envelope = row[4], row[18], row[20]
        if envelope.startswith(PROBE):
            self.probes += 1
        else:
            self.all.append(Receipt(recipient, vmta, envelope, time.monotonic()))
