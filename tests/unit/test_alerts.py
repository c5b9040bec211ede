"""What alerts say, and what counts as one."""

from typing import Any

import pytest

from control.alerts.message import Message, trial
from control.alerts.sender import LONGEST_WAIT, MOST_ATTEMPTS, again_in
from control.alerts.telegram import LONGEST, shortened
from control.consolidation.consolidation import Day
from control.explain.alarms import of_days, of_jobs, of_troubles, spent_pools
from control.explain.trouble import Trouble
from control.jobs.run import RunView
from policy.ledger.admin import IpUsage
from policy.model import IpState, Pool, VirtualMta
from policy.plan import Generation

AT = 1_770_000_000_000


def message(**fields: Any) -> Message:
    values: dict[str, Any] = {
        "message": 1, "attempts": 1, "kind": "begin", "at": AT, "severity": "critical",
        "what": "PowerMTA pmta1 is away", "next": "sendgate server circuits", "alert": 1,
        "key": "pmta:pmta1", "first_seen": AT - 3_600_000, "count": 3,
    }  # fmt: skip
    return Message(**values | fields)


def test_a_message_says_what_since_when_and_what_to_do() -> None:
    assert message().text == "CRITICAL: PowerMTA pmta1 is away\nnext: sendgate server circuits"
    assert message().subject == "Sendgate critical: pmta:pmta1"
    assert "since 2026-02-02T01:40:00Z, still so at" in message(kind="again").text
    over = message(kind="end").text
    assert over.startswith("OVER: PowerMTA pmta1 is away\nfrom 2026-02-02T01:40:00Z to ")
    assert message(kind="end", returned=7).text == f"{over}; gone and back 7 times"
    assert trial(AT).text.startswith("TEST: ")


def test_a_text_fits_telegram_whatever_characters_it_has() -> None:
    for text in ("x" * 9_000, "😀" * 5_000, "a" + "😀" * 5_000):
        cut = shortened(text)
        assert len(cut.encode("utf-16-le")) <= 2 * LONGEST
        assert cut.endswith("…")
        assert text.startswith(cut[:-1])
    assert shortened("short") == "short"


def test_deliveries_are_tried_for_hours_and_not_for_ever() -> None:
    waits = [again_in(n) for n in range(1, MOST_ATTEMPTS + 1)]
    assert waits[:3] == [5.0, 10.0, 20.0]
    assert waits[-2:] == [LONGEST_WAIT, None]
    assert 5 * 3600 < sum(wait or 0 for wait in waits) < 7 * 3600


def test_troubles_of_one_key_are_one_alert_as_grave_as_the_gravest() -> None:
    found = of_troubles(
        [
            Trouble(what="a", next="x", key="k"),
            Trouble(what="b", next="y", key="k", severity="critical"),
            Trouble(what="c", next="z", key="other"),
        ]
    )
    assert [(one.key, one.severity, one.what, one.next) for one in found] == [
        ("k", "critical", "a; b", "x"),
        ("other", "warning", "c", "z"),
    ]


def test_of_days_those_that_differ_by_more_than_a_thousandth_or_ten() -> None:
    days = [Day(20_000, 20_000, 20_000, 19_995, 5), Day(20_001, 100, 100, 99, 1)]
    assert [one.key for one in of_days(days)] == ["day:20001"]
    assert "1 differ" in of_days(days)[0].what


@pytest.mark.parametrize(("state", "severity"), [("failed", "warning"), ("dead", "critical")])
def test_a_job_that_fails_is_an_alert(state: str, severity: str) -> None:
    run = RunView(
        job="consolidation", due="2026-03-01T00:30:00Z", by_hand="", state=state, attempts=3,
        node="a", started="", ended=None, seconds=1.0, said="RefusedError: closed",
    )  # fmt: skip
    (one,) = of_jobs([run])
    assert (one.key, one.severity) == ("job:consolidation", severity)
    assert "3 times: RefusedError: closed" in one.what


def vmta(name: str, ip: str, daily: Any = 50, state: IpState = IpState.WARMING) -> VirtualMta:
    return VirtualMta(
        name=name, ip=ip, host_name="a.example", server="pmta1", state=state, daily=daily
    )


def usage(ip: str, relayed: int, opening: int = 0) -> IpUsage:
    return IpUsage(
        ip=ip, relayed=relayed, opening=opening, tat=0, by_provider={}, opening_by_provider={}
    )


def test_a_pool_is_spent_when_none_of_its_ips_may_send_and_mail_waits() -> None:
    ips = (vmta("v1", "192.0.2.1"), vmta("v2", "192.0.2.2"), vmta("v3", "192.0.2.3", "unlimited"))
    paused = vmta("v4", "192.0.2.4", state=IpState.PAUSED)
    pools = (
        Pool(name="full", tenant="acme", members=("v1", "v2", "v4")),
        Pool(name="open", tenant="acme", members=("v1", "v3")),
        Pool(name="still", tenant="acme", members=("v1",), paused=True),
        Pool(name="empty", tenant="acme", members=("v4",)),
    )
    plan = Generation(number=1, created=0, vmtas=(*ips, paused), pools=pools)
    used = {u.ip: u for u in (usage("192.0.2.1", 50), usage("192.0.2.2", 30, 20))}
    waiting = dict.fromkeys(("full", "open", "still", "empty"), 7)
    (one,) = spent_pools(plan, used, waiting)
    assert one.key == "pool:full"
    assert "100 of 100 recipients over 2 IPs; 7 messages wait until 00:00 UTC" in one.what
    assert spent_pools(plan, used, {}) == []
    assert spent_pools(plan, used | {"192.0.2.2": usage("192.0.2.2", 49)}, waiting) == []
