"""The stand-in's own books: its accounting files, receipt by receipt.

Rule: only what PowerMTA wrote counts. A receipt's day is the day of its grant, which its envelope
id begins with (policy/README.md, invariant 5); the calendar it was written by is compared with it.
Whole lines only: the writer may be at work.
"""

import csv
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from loadtest.laboratory import windows
from loadtest.laboratory.traffic import Kind, Traffic
from loadtest.laboratory.world import World

_DAY = 86_400
_ENVELOPE = re.compile(r"([0-9]{1,6})-[0-9a-z]+\.[0-9]+(?:-[0-9a-f]+)?")
_PROBE = "probe-"
_TYPE, _TIME, _ORIG, _RCPT, _VMTA, _ENVID = 0, 1, 3, 4, 18, 20
_TWICE_AT_MOST = 255
_NAMED = 20
"""Strange receipts that are kept as they are; the others are counted."""


class Books:
    """What PowerMTA took, by everything that has a limit. Days are days since 1970."""

    def __init__(self, world: World, traffic: Traffic) -> None:
        mailboxes = world.mailboxes
        self._world = world
        self._traffic = traffic
        self.taken = bytearray(len(traffic))
        """By number: how often."""
        self.receipts = 0
        self.by_ip: Counter[tuple[int, int]] = Counter()
        """(day, IP)."""
        self.by_provider: Counter[tuple[int, int, str]] = Counter()
        """(day, IP, provider)."""
        self.by_mailbox: dict[int, array[int]] = defaultdict(lambda: array("I", [0]) * mailboxes)
        """Day to mailbox."""
        self.by_second = windows.taken()
        """Of whoever has a limit of a minute or hour, by the stand-in's calendar."""
        self.over_midnight = 0
        """Receipts of the calendar's next day."""
        self.strange: list[str] = []
        self.strangers = 0
        """Receipts of what nobody sent, or not so."""
        self.complaints: list[tuple[str, str, str]] = []
        """(recipient, sender, envelope id) of mail that is complained of; whoever tells it empties
        the list."""
        self.bounced = bytearray(len(traffic))
        """By number: 1 where PowerMTA says so."""
        self._read: dict[str, int] = {}
        self._moments: dict[str, int] = {}

    def read(self, folder: Path) -> int:
        """Read on; how many receipts are new."""
        before = self.receipts
        # By name: day and number are the order of writing.
        for path in sorted(folder.glob("*-*.csv")):
            with path.open("rb") as file:
                file.seek(self._read.get(path.name, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path.name] = self._read.get(path.name, 0) + len(whole)
            self.take(csv.reader(whole.decode("utf-8").splitlines()))
        return self.receipts - before

    def take(self, rows: Iterable[list[str]]) -> None:
        """Rows of an accounting file, its heading among them or not."""
        for row in rows:
            if not row or row[_TYPE] == "type" or row[_ENVID].startswith(_PROBE):
                continue
            if row[_TYPE] == "r":
                self._receipt(row)
            elif row[_TYPE] == "b" and (number := self._traffic.number(row[_RCPT])) is not None:
                self.bounced[number] = 1

    def _receipt(self, row: list[str]) -> None:
        self.receipts += 1
        number = self._traffic.number(row[_RCPT])
        ip = self._world.by_vmta.get(row[_VMTA])
        envelope = _ENVELOPE.fullmatch(row[_ENVID])
        if number is None or ip is None or envelope is None:
            self._strange("of no message, IP or attempt of ours", row)
            return
        mailbox = self._traffic.mailbox[number]
        tenant = self._world.tenant_of(mailbox)
        if self._world.address(mailbox) != row[_ORIG]:
            self._strange("from another mailbox", row)
        if self._world.ips[ip].tenant != tenant:
            self._strange("by another tenant's IP", row)
        second = self._second(row[_TIME])
        day = int(envelope[1])
        if day != second // _DAY:
            self.over_midnight += 1
            if day != second // _DAY - 1:
                self._strange("granted on another day", row)
        self.taken[number] = min(self.taken[number] + 1, _TWICE_AT_MOST)
        self.by_ip[day, ip] += 1
        provider = self._traffic.provider(number)
        self.by_provider[day, ip, provider] += 1
        self.by_mailbox[day][mailbox] += 1
        for who in self._world.limited(mailbox, ip, provider):
            self.by_second[who][second] += 1
        if self._traffic.kind[number] == Kind.COMPLAINT:
            self.complaints.append((row[_RCPT], row[_ORIG], row[_ENVID]))

    def _strange(self, why: str, row: list[str]) -> None:
        self.strangers += 1
        if len(self.strange) < _NAMED:
            said = f"{row[_ORIG]} to {row[_RCPT]} by {row[_VMTA]}, {row[_ENVID]}, {row[_TIME]}"
            self.strange.append(f"{why}: {said}")

    def _second(self, text: str) -> int:
        """Since 1970. One record has the second of the one before it more often than not."""
        found = self._moments.get(text)
        if found is None:
            moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S%z").astimezone(UTC)
            self._moments.clear()
            found = self._moments[text] = int(moment.timestamp())
        return found
