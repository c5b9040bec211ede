"""What a mailbox is due by now, when it may go on, and how everything is: tables."""

from typing import Any

import pytest

from control.accounting.inbox import InboxState
from control.accounting.setaside import Backlog
from control.accounting.status import StreamView
from control.health.health import HealthView
from control.ledger.status import LedgerState, LedgerStatus
from control.progress.counted import Counted
from control.progress.day import Day, Fill, Sums
from control.progress.progress import Mail, Snapshot, _Past
from control.progress.standing import Standing, elapsed, free_at, standing
from control.watch.figures import Figures
from control.watch.warmup import system_health, text, warmup_metrics
from policy.limits import DAY, HOUR
from policy.mailbox import terms_of
from policy.model import MailboxLimits, Window
from tests.support.gateway.generations import tenant

MIDNIGHT = 20_000 * DAY
OFFICE = Window(start=8 * 3600, length=10 * 3600, offsets=((0, 0),))
PARIS = Window(start=22 * 3600, length=4 * 3600, offsets=((0, 3600),))
"""21:00 to 01:00 UTC: over the turn of the day that counts."""


@pytest.mark.parametrize(
    ("window", "hour", "part"),
    [
        (None, 0, 0.0),
        (None, 6, 0.25),
        (OFFICE, 7, 0.0),
        (OFFICE, 13, 0.5),
        (OFFICE, 20, 1.0),
        (PARIS, 0.5, 0.125),
        (PARIS, 12, 0.25),
        (PARIS, 22, 0.5),
    ],
)
def test_the_part_of_the_sending_hours_that_is_over(
    window: Window | None, hour: float, part: float
) -> None:
    assert elapsed(window, MIDNIGHT + round(hour * HOUR)) == pytest.approx(part)


@pytest.mark.parametrize(
    ("least", "most", "sent", "part", "found"),
    [
        (None, None, 0, 0.5, Standing(0, -1, 0, "no_quota", 0)),
        (None, 50, 50, 0.5, Standing(0, 50, 0, "no_quota", 0)),
        (30, None, 0, 0.0, Standing(30, -1, 0, "on_track", 0)),
        (30, None, 14, 0.5, Standing(30, -1, 15, "behind", 1)),
        (30, None, 15, 0.5, Standing(30, -1, 15, "on_track", 0)),
        (30, None, 30, 0.5, Standing(30, -1, 30, "reached", 0)),
        (30, 10, 4, 0.5, Standing(10, 10, 5, "behind", 1)),
        (30, 0, 0, 1.0, Standing(0, 0, 0, "no_quota", 0)),
        (3, None, 1, 1 / 3 + 1e-9, Standing(3, -1, 1, "on_track", 0)),
        (30, None, 0, 1.0, Standing(30, -1, 30, "behind", 30)),
    ],
)
def test_what_it_is_due(
    least: int | None, most: int | None, sent: int, part: float, found: Standing
) -> None:
    limits = MailboxLimits(daily_min=least, daily_max=most)
    terms = terms_of(tenant(), limits)
    assert standing(terms, Counted(sent), part, 20_000) == found


@pytest.mark.parametrize(
    ("limits", "counted", "window", "hour", "free"),
    [
        (MailboxLimits(), Counted(5), None, 6, 6),
        (MailboxLimits(spacing=7200), Counted(5, 0, MIDNIGHT + 5 * HOUR), None, 6, 7),
        (MailboxLimits(spacing=600), Counted(5, 0, MIDNIGHT + 5 * HOUR), None, 6, 6),
        (MailboxLimits(daily_max=5), Counted(5), None, 6, 24),
        (MailboxLimits(daily_max=5), Counted(5), OFFICE, 9, 32),
        (MailboxLimits(), Counted(0), OFFICE, 6, 8),
        (MailboxLimits(), Counted(0), OFFICE, 9, 9),
    ],
)
def test_when_its_next_message_may_go(
    limits: MailboxLimits, counted: Counted, window: Window | None, hour: int, free: int
) -> None:
    terms = terms_of(tenant(), limits)
    at = free_at(terms, "a@x", counted, window, MIDNIGHT + hour * HOUR)
    assert at == MIDNIGHT + free * HOUR


def test_a_ramp_binds_what_it_should_send_and_when_it_may_go_on() -> None:
    terms = terms_of(tenant(mailbox_ramp=(5, 20)), MailboxLimits(daily_min=30))
    first = Counted(5, 0, MIDNIGHT, 20_000)
    assert standing(terms, first, 0.5, 20_000) == Standing(5, 5, 5, "reached", 0)
    assert standing(terms, first, 0.5, 20_007) == Standing(20, 20, 10, "behind", 5)
    assert standing(terms, Counted(), 1.0, 20_000) == Standing(5, 5, 5, "behind", 5)
    assert free_at(terms, "a@x", first, None, MIDNIGHT + HOUR) == MIDNIGHT + DAY


def day(sent: dict[str, int], *, limits: MailboxLimits | None = None, most: int = 2) -> Day:
    own = {name: limits or MailboxLimits(daily_min=10) for name in sorted(sent)}
    counted = {name: Counted(n, before=int(n == 0 and name == "b@x")) for name, n in sent.items()}
    found = Day(tenant(mailboxes=own), counted, MIDNIGHT + 12 * HOUR)
    assert list(found.work(most)) == [None]
    return found


def test_a_tenants_day_is_summed_up_and_found_by_how_it_stands() -> None:
    found = day({"d@x": 10, "b@x": 0, "a@x": 4, "c@x": 5, "e@x": 30})
    sums = found.sums
    assert (sums.total, sums.active, sums.with_quota) == (5, 5, 5)
    assert (sums.reached, sums.behind, sums.missing) == (2, 2, 6)
    assert sums.completion == 60.0
    assert [one[:1] + one[2:] for one in sums.top] == [(300.0, "e@x"), (100.0, "d@x")]
    assert [one[:1] + one[2:] for one in sums.worst] == [(0.0, "b@x"), (40.0, "a@x")]
    assert [found.names[n] for n in found.places("behind", None)] == ["a@x", "b@x"]
    assert [found.names[n] for n in found.places("behind", "a@x")] == ["b@x"]
    assert [found.names[n] for n in found.places(None, "c@x")] == ["d@x", "e@x"]
    assert [found.names[n] for n in found.places(None, "cc@x")] == ["d@x", "e@x"]
    assert found.standing(0) == Standing(10, -1, 5, "behind", 1)
    nobody = day({"a@x": 1}, limits=MailboxLimits())
    assert nobody.sums.completion == 100.0


def test_mailboxes_that_nobody_added_stand_in_their_place() -> None:
    found = Day(tenant(mailboxes={"b@x": MailboxLimits()}), {"a@x": Counted(2)}, MIDNIGHT)
    assert list(found.names) == ["a@x", "b@x"]


def figures(**changes: Any) -> Figures:
    """All is well, but for these."""
    inbox = InboxState(waiting=0, octets=0, oldest=0, age=0.0, most=1, stuck=0)
    well: dict[str, Any] = {
        "ledger": LedgerStatus(name="main", state=LedgerState.OPEN, detail=""),
        "streams": [StreamView(server="pmta1", path="", age=60.0)],
        "workers": {"w": 1},
        "published": 1,
        "backlog": Backlog(inbox=inbox, set_aside=0, set_aside_at=0),
        "told": [],
        "circuits": {},
    }
    return Figures(**(well | changes))


def part(service: str, healthy: bool, name: str = "a") -> HealthView:
    return HealthView(service=service, name=name, healthy=healthy, detail="x", at="", since="")


GOOD = Sums(total=10, with_quota=10, behind=5), Mail(sent=90, bounced=4, refused=5)
LOST = LedgerStatus(name="main", state=LedgerState.LOST, detail="")
LATE = [StreamView(server="pmta1", path="", age=3_601.0)]


@pytest.mark.parametrize(
    ("changes", "health", "sums", "mail", "state"),
    [
        ({}, [part("pmta", True)], *GOOD, 2),
        ({}, [], None, None, 2),
        ({"ledger": LOST}, [part("pmta", True)], *GOOD, 0),
        ({"ledger": None}, [part("pmta", True)], *GOOD, 0),
        ({"backlog": None}, None, None, None, 0),
        ({}, None, *GOOD, 0),
        ({}, [part("pmta", False), part("pmta", False, "b")], *GOOD, 0),
        ({}, [part("pmta", False), part("pmta", True, "b")], *GOOD, 1),
        ({}, [part("disk", False)], *GOOD, 1),
        ({"workers": {}}, [], *GOOD, 1),
        ({"streams": LATE}, [], *GOOD, 1),
        ({}, [], Sums(with_quota=1000, behind=501), GOOD[1], 1),
        ({}, [], GOOD[0], Mail(sent=90, bounced=1, refused=10), 1),
        ({}, [], GOOD[0], Mail(sent=90, bounced=0, refused=10), 2),
    ],
)
def test_one_figure_for_how_everything_is(
    changes: dict[str, Any],
    health: list[HealthView] | None,
    sums: Sums | None,
    mail: Mail | None,
    state: int,
) -> None:
    found, why = system_health(figures(**changes), health, sums, mail)
    assert (found, bool(why)) == (state, state < 2), why


def test_the_metrics_have_the_names_users_know_and_escape_an_address() -> None:
    sums = Sums(total=3, active=2, with_quota=2, behind=1)
    sums.keep([Fill(50.0, "acme", 'a"b\\@x'), Fill(10.0, "acme", "c@x")], 1)
    mail = Mail(sent=90, bounced=4, refused=5, an_hour=12.34)
    look = Snapshot(
        at=MIDNIGHT, taken=0.0, stopped=False, days={}, mail={}, sums=sums, all_mail=mail
    )
    shown = text(warmup_metrics(look, figures(), []))
    assert [line for line in shown.splitlines() if not line.startswith("#")] == [
        "warmup_total_mailboxes 3.0",
        "warmup_active_mailboxes 2.0",
        "warmup_emails_sent_today 90.0",
        "warmup_emails_failed_today 9.0",
        "warmup_throughput_per_hour 12.3",
        "warmup_quota_completion_rate 50.0",
        "warmup_system_health 2.0",
        'warmup_mailbox_quota_fill{mailbox="a\\"b\\\\@x",tenant="acme"} 50.0',
        'warmup_mailbox_quota_fill{mailbox="c@x",tenant="acme"} 10.0',
    ]


def test_without_a_look_only_how_everything_is_is_told() -> None:
    found = warmup_metrics(None, figures(backlog=None), None)
    assert (found.at, found.total_mailboxes, found.system_health) == (None, None, 0)
    shown = [line for line in text(found).splitlines() if not line.startswith("#")]
    assert shown == ["warmup_system_health 0.0"]


def test_the_throughput_is_that_of_an_hour_over_the_turn_of_a_day() -> None:
    past = _Past()
    assert past.an_hour(0.0, 7, 500) == 0.0
    assert past.an_hour(60.0, 7, 510) == pytest.approx(600.0)
    assert past.an_hour(120.0, 8, 10) == pytest.approx(600.0)
    for minute in range(5, 185, 5):
        rate = past.an_hour(60.0 * minute, 8, 10 + minute)
    assert rate == pytest.approx(60.0)
