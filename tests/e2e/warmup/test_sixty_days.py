"""Eleven IPs warm up by themselves: five a week apart, and six to which something happens; what is
told of them begins and ends.

Shorter than life by default: until the first IP is in its third week. All of it:
`make sixty-days`, which shows each decision."""

import os
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.warmup.plot import (
    ALL,
    BOUNCING,
    DOUBTED,
    FULL_DAY,
    GMAIL_SHARE,
    HATED,
    IDLE,
    LADDER,
    QUICK,
    STAGE_DAYS,
    THIN,
    TOLD,
    WEEKLY,
    Warming,
)
from tests.e2e.warmup.stack import Stack

DAYS = int(os.environ.get("SENDGATE_WARMUP_DAYS", "17"))
TOO_MANY = 60
_REPUTATION = (
    "smtp;421 4.7.28 [192.0.2.22] Our system has detected an unusual rate of unsolicited mail "
    "originating from your IP address. To protect our users from spam, mail sent from your IP "
    "address has been temporarily rate limited."
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Course:
    """What happened so far."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.stages: dict[str, list[tuple[int, int]]] = defaultdict(list)
        """By IP: (day, stage) each time it is another one."""
        self.sent: Counter[int] = Counter()
        self.number = 0

    def one_day(self) -> None:
        """Send, be told, have the night's jobs done."""
        stack, day = self.stack, self.number
        for one in ALL:
            if one.begins == day:
                stack.add(one)
        limits = stack.limits()
        for ip, row in limits.items():
            seen = self.stages[ip]
            if not seen or seen[-1][1] != row["stage"]:
                seen.append((day, row["stage"]))
        wanted = {one: _wanted(one, day, limits) for one in ALL}
        if day == DAYS - 1:
            # More than may go: exactly what may go goes, and the rest waits.
            wanted[WEEKLY[0]] = limits[WEEKLY[0].ip]["quota"] + TOO_MANY
        goes = {one: min(count, limits[one.ip]["quota"]) for one, count in wanted.items() if count}
        stack.send(
            (one, [*one.recipients(day, count, _gmail(limits[one.ip]))])
            for one, count in wanted.items()
            if count
        )
        stack.heard(sum(goes.values()))
        took = list(stack.receipts.new())
        by_vmta = Counter(receipt["vmta"] for receipt in took)
        for one in ALL:
            count = by_vmta.pop(limits[one.ip]["vmta"], 0) if one.ip in limits else 0
            assert count == goes.get(one, 0), (day, one.name)
        assert not by_vmta
        self.sent[day] = sum(goes.values())
        if day == HATED.trouble:
            its = [r for r in took if r["vmta"] == limits[HATED.ip]["vmta"]]
            stack.tell([_complaint(receipt, stack) for receipt in its[: HATED.complaints]])
            self._guarded(HATED)
        if DOUBTED.trouble <= day < DOUBTED.trouble + DOUBTED.doubted:
            stack.tell([_deferral(limits[DOUBTED.ip]["vmta"], stack)])
        if one_bounces(day) and limits[BOUNCING.ip]["state"] != "paused":
            self._guarded(BOUNCING)
        stack.turn()
        self.number += 1
        if day == TOLD:
            self._told()

    def _told(self) -> None:
        """What happened is an alert, as grave as it is; who sees it may let an IP go on."""
        whose = {BOUNCING.ip: "warning", HATED.ip: "critical", QUICK.ip: "info"}
        found = self.stack.alerts(
            lambda found: whose.keys() <= found.keys(), f"alerts of {sorted(whose)}"
        )
        assert {ip: found[ip]["severity"] for ip in whose} == whose
        assert {ip for ip in whose if found[ip]["recovered"] is None} == {BOUNCING.ip, HATED.ip}
        for ip in whose:
            assert ip in found[ip]["what"], found[ip]
            assert f"--ip {ip}" in found[ip]["next"]
        assert "pauses" in found[BOUNCING.ip]["what"]
        assert "complaints" in found[HATED.ip]["what"]
        assert "ACTIVE" in found[QUICK.ip]["what"]
        self.stack.run("warmup", "resume", HATED.ip, "--reason", "its list was cleaned")

    def _guarded(self, one: Warming) -> None:
        """The guard pauses within a minute of the record."""
        deadline = time.monotonic() + 60
        while self.stack.limits()[one.ip]["state"] != "paused":
            assert time.monotonic() < deadline, f"{one.name} should be paused"
            time.sleep(0.2)

    def decisions(self) -> list[dict[str, Any]]:
        """All of them, the oldest first."""
        found: list[dict[str, Any]] = []
        more: tuple[str, ...] = ()
        while True:
            page = self.stack.asked("warmup", "decisions", "--limit", "1000", *more)
            found += page["decisions"]
            if page["before"] is None:
                return found[::-1]
            more = ("--before", str(page["before"]))


def one_bounces(day: int) -> bool:
    return day == BOUNCING.trouble


def _wanted(one: Warming, day: int, limits: dict[str, dict[str, Any]]) -> int:
    row = limits.get(one.ip)
    return 0 if row is None or row["state"] == "paused" else one.wants(day, row["quota"])


def _gmail(row: dict[str, Any]) -> int:
    """Recipients of Gmail's that may go."""
    own = {found["provider"]: found["stage"] for found in row["providers"]}.get("gmail")
    return int(LADDER[(own or row["stage"]) - 1] * GMAIL_SHARE)


def _complaint(receipt: dict[str, str], stack: Stack) -> dict[str, str]:
    return {
        "type": "f",
        "timeLogged": stack.day.strftime("%Y-%m-%d %H:%M:%S+0000"),
        "rcpt": receipt["rcpt"],
        "orig": receipt["orig"],
        "envId": receipt["envId"],
        "feedbackType": "abuse",
        "dlvSourceIp": HATED.ip,
    }


def _deferral(vmta: str, stack: Stack) -> dict[str, str]:
    return {
        "type": "t",
        "timeLogged": stack.day.strftime("%Y-%m-%d %H:%M:%S+0000"),
        "rcpt": f"s{DOUBTED.name}@gmail.com",
        "orig": DOUBTED.sender,
        "envId": "",
        "dsnStatus": "4.7.28 (too much unsolicited mail)",
        "dsnDiag": _REPUTATION,
        "vmta": vmta,
        "dlvSourceIp": DOUBTED.ip,
    }


def _expected(one: Warming) -> list[tuple[int, int]]:
    """(day, stage) of an IP to which nothing happens."""
    days = (one.begins + STAGE_DAYS * n for n in range(len(LADDER)))
    return [(day, stage) for stage, day in enumerate(days, 1) if day < DAYS]


def test_ips_warm_up_by_themselves_to_the_day_and_never_one_recipient_over(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    course = Course(Stack(data_dir, capfd))
    while course.number < DAYS:
        course.one_day()
    decisions = course.decisions()
    acts = defaultdict(list)
    for found in decisions:
        acts[found["ip"]].append(found)

    for one in WEEKLY:
        assert course.stages.get(one.ip, []) == _expected(one), one.name
        kinds = {f["act"] for f in acts[one.ip] if not f["provider"]} - {"hold"}
        assert kinds <= {"advance", "finish"}, one.name
    if DAYS > FULL_DAY:
        assert course.sent[FULL_DAY] >= sum(LADDER) - LADDER[0] == 17_200
    if STAGE_DAYS * len(LADDER) < DAYS:
        (active,) = (f for f in acts[WEEKLY[0].ip] if f["act"] == "finish" and not f["provider"])
        assert (active["state_after"], active["severity"]) == ("active", "info")

    # Its bounces go on: it is paused again each time its cool-down has passed.
    paused = {(f["rule"], f["severity"]) for f in acts[BOUNCING.ip] if f["act"] == "pause"}
    assert paused == {("bounces", "warning")}
    (once,) = (f for f in acts[HATED.ip] if f["act"] == "pause")
    assert (once["rule"], once["severity"]) == ("complaints", "critical")
    if DOUBTED.trouble + DOUBTED.doubted < DAYS:
        (back,) = (f for f in acts[DOUBTED.ip] if f["act"] == "step_back")
        assert (back["provider"], back["rule"]) == ("gmail", "reputation")
    assert course.stages[THIN.ip] == [(0, 1)]
    assert {f["rule"] for f in acts[THIN.ip]} == {"thin"}
    assert any(f["rule"] == "idle" and f["act"] == "step_back" for f in acts[IDLE.ip])

    if TOLD < DAYS:
        ended = course.stack.alerts(
            # Where the days pass between two looks it is gone, and over a while later.
            lambda found: _gone(found[HATED.ip]) is not None,
            f"that of {HATED.ip} ended",
        )[HATED.ip]
        # What only tells of a moment (ACTIVE) is gone with it.
        assert ended["first_seen"] <= _gone(ended)
        assert ended["waiting"] == 0, "no way out is set"
        (active,) = (f for f in acts[QUICK.ip] if f["act"] == "finish" and not f["provider"])
        assert (active["state_after"], active["severity"]) == ("active", "info")

    course.stack.end()
    with capfd.disabled():
        print()
        for found in decisions:
            if found["act"] != "hold":
                print(found["at"][:16], found["sentence"])
        print(
            f"{DAYS} days, {sum(course.sent.values()):,} recipients, the most on one day "
            f"{max(course.sent.values()):,}, in {time.monotonic() - started:.0f} s"
        )


def _gone(alert: dict[str, Any]) -> Any:
    """Since when; null: it is so."""
    return alert["recovered"] or alert["absent"]
