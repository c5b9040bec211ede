"""A campaign pushed at full speed by a real PHP client leaves over days, to the exact quotas.

Smaller than life by default. All of it: SENDGATE_CAMPAIGN_MESSAGES=10000, _DAYS=20 (500 a day), and
_PER_CONNECTION=1, MailWizz's default; `pytest -s` shows the summary."""

import asyncio
import json
import os
import shutil
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.control.up import Receipt, Up, command, receipts

SCRIPT = Path(__file__).parent / "php" / "campaign.php"
MESSAGES = int(os.environ.get("SENDGATE_CAMPAIGN_MESSAGES", "800"))
DAYS = int(os.environ.get("SENDGATE_CAMPAIGN_DAYS", "4"))
PER_CONNECTION = os.environ.get("SENDGATE_CAMPAIGN_PER_CONNECTION", "100")
CLIENTS = int(os.environ.get("SENDGATE_CAMPAIGN_CLIENTS", "2"))

A_DAY = MESSAGES // DAYS
QUOTAS = {
    "192.0.2.10": A_DAY * 5 // 10,
    "192.0.2.11": A_DAY * 3 // 10,
    "192.0.2.12": A_DAY * 2 // 10,
}
GMAIL = {ip: quota // 5 for ip, quota in QUOTAS.items()}
"""Ceilings that bind on every day but the last."""
GMAIL_A_DAY = sum(GMAIL.values())
MICROSOFT = {ip: quota * 2 // 5 for ip, quota in QUOTAS.items()}
CAMPAIGN = "xk482ptq10cd5"
CONFIRMATIONS = [f"new{number}@company.example" for number in range(3)]
_ROUND = 64
"""Messages a releaser asks for at once (`hold.claim`)."""

pytestmark = [
    pytest.mark.php,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("php") is None
        or not Path("/usr/share/php/Symfony/Component/Mailer/autoload.php").exists(),
        reason="PHP with Symfony Mailer is not installed (.ci/run installs it)",
    ),
]


def campaign() -> list[str]:
    """Recipients in order; gmail's come early, so that a backlog of them waits at every time."""
    count = MESSAGES - len(CONFIRMATIONS)
    # Without room on the last day its rest could be gmail's alone, and an IP's that is full.
    gmail = DAYS * GMAIL_A_DAY - GMAIL_A_DAY // 2
    early = gmail * 9 // 10
    part = MESSAGES * 3 // 5

    def so_far(place: int) -> int:
        late = (gmail - early) * max(0, place - part) // (count - part)
        return early * min(place, part) // part + late

    found = []
    for number in range(count):
        others = ("outlook.com", "a.example")[number % 4 > 0]
        domain = "gmail.com" if so_far(number + 1) > so_far(number) else others
        found.append(f"reader{number}@{domain}")
    assert sum(to.endswith("@gmail.com") for to in found) == gmail
    return found


def gmail_of(names: list[str]) -> int:
    return sum(name.endswith("@gmail.com") for name in names)


def simulate(waiting: list[str]) -> list[list[str]]:
    """What leaves on each day, in the stated order, by a simple reading of the policy: mail
    without campaign headers first, then the oldest whose provider has room."""
    left = [to for to in waiting if to in CONFIRMATIONS]
    left += [to for to in waiting if to not in CONFIRMATIONS]
    days = []
    while left:
        goes: list[str] = []
        for to in left:
            full = to.endswith("@gmail.com") and gmail_of(goes) >= GMAIL_A_DAY
            if len(goes) < A_DAY and not full:
                goes.append(to)
        gone = set(goes)
        left = [to for to in left if to not in gone]
        days.append(goes)
    return days


async def push(address: str, lines: list[str]) -> list[dict[str, Any]]:
    """One PHP process; its answers."""
    host, _, port = address.rpartition(":")
    process = await asyncio.create_subprocess_exec(
        "php", "-d", "error_reporting=E_ERROR", str(SCRIPT), host, port, "acme", "acme-password",
        "news@acme.example", CAMPAIGN, PER_CONNECTION,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate("".join(f"{line}\n" for line in lines).encode())
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


class Stack:
    """A stack whose acme has three IPs, and the commands this test asks it."""

    def __init__(self, data_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._data_dir = data_dir
        self._capfd = capfd

    def run(self, *words: str) -> str:
        self._capfd.readouterr()
        assert command(self._data_dir, *words) == 0, self._capfd.readouterr().err
        return self._capfd.readouterr().out

    def prepare(self) -> datetime:
        """Returns the time set: a morning, so that no midnight comes by."""
        self.run("tenant", "add", "acme", "--login", "acme", "--password", "acme-password")
        for ip, quota in QUOTAS.items():
            self.run("domain", "add", "--tenant", "acme", "--domain", "acme.example", "--ip", ip,
                     "--quota", str(quota), "--hourly-share", "1.0")  # fmt: skip
            self.run("ip", "set", ip, "--ceiling", f"gmail={GMAIL[ip]}",
                     "--ceiling", f"microsoft={MICROSOFT[ip]}")  # fmt: skip
        morning = (datetime.now(UTC) + timedelta(days=1)).replace(hour=6, minute=0, second=0)
        self.run("clock", "set", morning.isoformat(timespec="seconds"))
        return morning

    def settle(self, waiting: int) -> None:
        """Wait until only so many wait, and none is being sent."""
        deadline = time.monotonic() + 120
        while True:
            found = msgspec.json.decode(self.run("hold", "list", "--json"))
            states = {p["name"]: p["messages"] for p in found["parts"] if p["by"] == "state"}
            if found["all"]["messages"] == states.get("held", 0) == waiting:
                return
            if time.monotonic() > deadline:
                pytest.fail(f"{waiting} should wait: {self.run('hold', 'list', '--messages')}")
            time.sleep(0.1)

    def heard(self, day: datetime) -> None:
        """Wait until accounting has told what became of a day's mail: what PowerMTA has not done
        with counts against the next day's quotas."""
        date = day.date().isoformat()
        deadline = time.monotonic() + 60
        while True:
            text = self.run("stats", "--from", date, "--to", date, "--by", "day", "--json")
            told = msgspec.json.decode(text)["total"]["delivered"]
            if told == A_DAY or time.monotonic() > deadline:
                assert told == A_DAY
                return
            time.sleep(0.1)

    def received(self, day: datetime) -> list[Receipt]:
        return [r for r in receipts(self._data_dir) if r.day == day.date().isoformat()]

    def waits(self) -> list[str]:
        """Recipients by arrival."""
        names: list[str] = []
        more: tuple[str, ...] = ()
        while True:
            text = self.run("hold", "list", "--messages", "--limit", "1000", "--json", *more)
            page = msgspec.json.decode(text)
            names += [message["recipient"] for message in page["messages"]]
            if not page["after"]:
                return names
            more = ("--after", page["after"])


def quotas_are_exact(day: list[Receipt], number: int) -> None:
    """Per IP, and per IP and provider."""
    names = {f"vmta-{ip.replace('.', '-')}": ip for ip in QUOTAS}
    assert Counter(names[r.vmta] for r in day) == QUOTAS, number
    by_provider = Counter((names[r.vmta], r.rcpt.partition("@")[2]) for r in day)
    for ip in QUOTAS:
        gmail = by_provider[ip, "gmail.com"]
        assert gmail == GMAIL[ip] or (number == DAYS and gmail < GMAIL[ip]), (number, ip)
        assert by_provider[ip, "outlook.com"] <= MICROSOFT[ip], (number, ip)


async def test_a_campaign_leaves_over_days_to_the_exact_quotas_in_order_and_once(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    up = Up(data_dir)
    where = up.ready()
    stack = Stack(data_dir, capfd)
    day = stack.prepare()
    readers = campaign()
    lines = [f"{to} su{number:011d}" for number, to in enumerate(readers)]
    pushing = time.monotonic()
    pushed = await asyncio.gather(
        *(push(where["smtp"], lines[part::CLIENTS]) for part in range(CLIENTS))
    )
    answers = [answer for part in pushed for answer in part]
    # Confirmations last: only the order of the release brings them to the front.
    answers += await push(where["smtp"], [f"{to} -" for to in CONFIRMATIONS])
    pushed_in = time.monotonic() - pushing
    codes = Counter(answer["code"] for answer in answers)
    assert codes == {250: MESSAGES}, [a for a in answers if a["code"] != 250][:5]
    queued = {answer["to"] for answer in answers if answer["text"].endswith("queued")}

    stack.settle(MESSAGES - A_DAY)
    first = stack.received(day)
    quotas_are_exact(first, 1)
    gone = {receipt.rcpt for receipt in first}
    waiting = stack.waits()
    assert {*waiting} == {*readers, *CONFIRMATIONS} - gone
    assert {*waiting} <= queued, "what waits was called queued"
    expected = simulate(waiting)
    assert len(expected) == DAYS - 1, "the campaign fills every day"

    summary = [_summary(day, first)]
    left = MESSAGES - A_DAY
    for number, goes in enumerate(expected, start=2):
        stack.heard(day)
        stack.run("clock", "advance", "1d")
        day += timedelta(days=1)
        left -= len(goes)
        stack.settle(left)
        came = stack.received(day)
        quotas_are_exact(came, number)
        names = [receipt.rcpt for receipt in came]
        assert {*names} == {*goes}, f"day {number}: the oldest first"
        places = {to: place for place, to in enumerate(goes)}
        # A round is sent side by side: within it the order is that of the asking only.
        late = max(abs(place - places[to]) for place, to in enumerate(names))
        assert late < 2 * _ROUND, f"day {number}: {late} places from the order"
        if number == 2:
            assert {*CONFIRMATIONS} <= {*names[:_ROUND]}
        summary.append(f"{_summary(day, came)}, at most {late} places from the order")

    everything = Counter(receipt.rcpt for receipt in receipts(data_dir))
    assert everything == Counter([*readers, *CONFIRMATIONS]), "each message exactly once"
    envelopes = {receipt.envelope for receipt in receipts(data_dir)}
    assert len(envelopes) == MESSAGES
    stack.settle(0)
    assert up.end() == 0
    print(*summary, sep="\n")
    print(
        f"{MESSAGES} messages, {PER_CONNECTION} a connection, {CLIENTS} clients: answers "
        f"{dict(codes)}, {len(queued)} of them queued, in {pushed_in:.0f} s\n"
        f"hold empty after {DAYS} days, {time.monotonic() - started:.0f} s in all"
    )


def _summary(day: datetime, came: list[Receipt]) -> str:
    by_ip = ", ".join(f"{vmta} {n}" for vmta, n in sorted(Counter(r.vmta for r in came).items()))
    gmail = gmail_of([receipt.rcpt for receipt in came])
    return f"{day:%Y-%m-%d}: {len(came)} received: {by_ip}; gmail {gmail}"
