"""A whole stack whose calendar this test turns, and what it asks it."""

import csv
import io
import smtplib
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.warmup.plot import Warming
from tests.support.control.up import Up, command

PATIENCE = 120.0
TOGETHER = 50
"""Recipients of one message."""
SENDERS = 4


class Receipts:
    """What PowerMTA took, read on from where it was read before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._columns: dict[Path, list[str]] = {}

    def new(self) -> Iterator[dict[str, str]]:
        """Receipts of whole lines since the last time, but not those of probes."""
        for path in sorted(self._folder.glob("sendgate-*.csv")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text = file.read()
            text = text[: text.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(text)
            rows = csv.reader(io.StringIO(text.decode()))
            if path not in self._columns:
                self._columns[path] = next(rows, [])
            for row in rows:
                found = dict(zip(self._columns[path], row, strict=True))
                if found["type"] == "r" and not found["envId"].startswith("probe-"):
                    yield found


class Stack:
    """`sendgate up`, its commands, and its calendar."""

    def __init__(self, data_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._data_dir = data_dir
        self._capfd = capfd
        self._up = Up(data_dir)
        self._where = self._up.ready()
        self.receipts = Receipts(data_dir / "pmta" / "accounting")
        self._token = msgspec.json.decode(
            self.run("token", "add", "feedback", "--role", "accounting", "--json")
        )["token"]
        self.day = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)

    def run(self, *words: str) -> str:
        """One command's output."""
        self._capfd.readouterr()
        assert command(self._data_dir, *words) == 0, self._capfd.readouterr().err
        return self._capfd.readouterr().out

    def asked(self, *words: str) -> Any:
        """One command's `--json`."""
        return msgspec.json.decode(self.run(*words, "--json"))

    def end(self) -> None:
        assert self._up.end() == 0

    def add(self, one: Warming) -> None:
        """Its domain and IP, and its tenant with the first of them."""
        if one.tenant not in {row["name"] for row in self.asked("tenant", "list")}:
            self.run("tenant", "add", one.tenant, "--login", one.tenant,
                     "--password", "a-long-password")  # fmt: skip
        self.run("domain", "add", "--tenant", one.tenant, "--domain", one.domain, "--ip", one.ip,
                 "--pool", f"{one.name}-pool", "--hourly-share", "1.0")  # fmt: skip
        if one.quotas:
            quotas = [word for quota in one.quotas for word in ("--quota", str(quota))]
            self.run("warmup", "plan", "add", one.name, *quotas)
            self.run("ip", "set", one.ip, "--plan", one.name, "--reason", "a plan of its own")

    def send(self, mails: Iterable[tuple[Warming, list[str]]]) -> int:
        """(Whose, to whom); how many recipients were taken."""
        host, _, port = self._where["smtp"].rpartition(":")

        def some(part: list[tuple[Warming, Sequence[str]]]) -> int:
            taken = 0
            for tenant in sorted({one.tenant for one, _ in part}):
                with smtplib.SMTP(host, int(port), timeout=60) as smtp:
                    smtp.login(tenant, "a-long-password")
                    for one, names in part:
                        if one.tenant == tenant:
                            text = f"From: <{one.sender}>\r\nSubject: news\r\n\r\nHello\r\n"
                            refused = smtp.sendmail(one.sender, names, text)
                            assert not refused, refused
                            taken += len(names)
            return taken

        messages = [(one, names) for one, to in mails for names in batched(to, TOGETHER)]
        with ThreadPoolExecutor(SENDERS) as pool:
            return sum(pool.map(some, (messages[n::SENDERS] for n in range(SENDERS))))

    def heard(self, count: int) -> dict[str, int]:
        """Wait until accounting has told the end of so many of the day's recipients."""
        date = self.day.date().isoformat()
        found: dict[str, int] = {}

        def told() -> bool:
            total = self.asked("stats", "--from", date, "--to", date, "--by", "day")["total"]
            found.update(total)
            return bool(total["delivered"] + total["bounced"] >= count)

        _wait(told, lambda: f"{count} recipients of {date} told, not {found}")
        return found

    def tell(self, records: list[dict[str, str]]) -> None:
        """Feedback reports and deferrals, as PowerMTA posts them."""
        lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        request = urllib.request.Request(
            f"{self._where['api']}/api/v2/powermta/accounting",
            lines,
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/x-ndjson"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def turn(self) -> None:
        """The next morning, with the night's jobs done."""
        self.day += timedelta(days=1)
        midnight = self.day.replace(hour=0)
        for job, minute in (("warmup", 0), ("consolidation", 30), ("warmup-late", 31)):
            self._done(job, midnight + timedelta(minutes=minute))
        self.run("clock", "set", self.day.isoformat(timespec="seconds"))

    def _done(self, job: str, due: datetime) -> None:
        """The time at which a job is due; wait until it is done."""
        said: dict[str, Any] = {}

        def done() -> bool:
            last = next(j for j in self.asked("job", "list") if j["name"] == job)["last"]
            said.update(last or {})
            late = last is None or datetime.fromisoformat(last["due"]) < due
            return not late and bool(last["state"] == "done")

        self.run("clock", "set", (due + timedelta(seconds=1)).isoformat(timespec="seconds"))
        _wait(done, lambda: f"job {job} of {due} done, not {said}")

    def alerts(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until alerts of warm-up are as wanted: they are looked for every half minute. By IP,
        the latest of each."""
        found: dict[str, Any] = {}

        def told() -> bool:
            rows = self.asked("alert", "list", "--ended", "--limit", "1000")["alerts"]
            of = [row for row in rows if row["key"].startswith("warmup:")]
            found.clear()
            found.update({row["key"].split(":")[-1]: row for row in reversed(of)})
            return wanted(found)

        _wait(told, lambda: f"{what}, not {found}")
        return found

    def limits(self) -> dict[str, dict[str, Any]]:
        """By IP: where warm-up is."""
        return {row["ip"]: row for row in self.asked("warmup", "status")}


def batched(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """In parts of at most `size`."""
    return (names[n : n + size] for n in range(0, len(names), size))


def _wait(done: Callable[[], bool], wanted: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"not in {PATIENCE:.0f} s: {wanted()}")
        time.sleep(0.05)
