"""What the console draws: each day in its place, the same numbers in the drawing and its table."""

from typing import Any

import msgspec

from control.console.drawn import DayOf, days_of, each_day, mail_chart, place
from control.console.ramp import chart, ramp
from control.console.views.now import Rate, rate, rates, told
from control.explain.standing import Mail
from control.statistics.row import Row
from control.warmup.plans import PlanView, StageView
from control.warmup.simulation import SimulatedDay, Simulation
from control.warmup.view import WarmupView


def row(day: str, relayed: int, **counts: int) -> Row:
    fields: dict[str, Any] = {
        field.name: 0 if field.type is int else None
        for field in msgspec.structs.fields(Row)
        if field.required
    }
    return Row(**{**fields, "day": day, "relayed": relayed, **counts})


def test_days_without_mail_have_their_place() -> None:
    found = each_day(
        [row("2026-02-27", 5, delivered=4, bounced=1), row("2026-03-02", 7, deferred=3)],
        *("2026-02-26", "2026-03-02"),
    )
    assert [(one.day, one.relayed) for one in found] == [
        ("2026-02-26", 0),
        ("2026-02-27", 5),
        ("2026-02-28", 0),
        ("2026-03-01", 0),
        ("2026-03-02", 7),
    ]
    assert (found[1].delivered, found[1].bounced, found[4].deferred) == (4, 1, 3)


def test_a_drawing_says_what_its_table_does() -> None:
    days = [DayOf(day="2026-03-01", relayed=9, delivered=5, bounced=2, expired=1, deferred=4)]
    drawn = msgspec.json.decode(mail_chart(days).json())
    assert drawn["days"] is True
    assert drawn["places"] == [place("2026-03-01")] == [1_772_323_200]
    assert {line["label"]: line["values"] for line in drawn["lines"]} == {
        "sent": [9],
        "delivered": [5],
        "bounced or given up": [3],
        "deferred": [4],
    }


def warm(**changes: Any) -> WarmupView:
    fields: dict[str, Any] = {
        **dict.fromkeys(("id", "counted_days", "needed_days", "sent_7d"), 0),
        **dict.fromkeys(("bounce_rate_7d", "spam_rate_7d"), 0.0),
        **dict.fromkeys(("quota", "target", "pause_ends", "override_ends")),
        **dict.fromkeys(("vmta", "tenant", "override", "act", "next"), ""),
    }
    given = {"ip": "192.0.2.1", "state": "warming", "plan": "p", "stage": 2, "stages": 3}
    given |= {"since": "2026-03-03T00:00:00Z", "providers": []}
    return WarmupView(**{**fields, **given, **changes})


PLAN = PlanView(
    name="p",
    stages=[StageView(stage=n, quota=n * 100, ceilings={}) for n in (1, 2, 3)],
    days=2,
    growth=1.0,
    breach="pause",
    source="",
    ips=1,  # type: ignore[arg-type]
)


def test_a_ramp_has_its_plan_what_was_sent_and_what_would_be() -> None:
    days = days_of("2026-02-28", "2026-03-08")
    made = SimulatedDay(
        stage=2,
        state="warming",
        quota=200,
        waiting=0,
        waits_days=0.0,  # type: ignore[arg-type]
        date="2026-03-05",
        sent=150,
        act="",
        sentence="",  # type: ignore[arg-type]
    )
    fields: dict[str, Any] = dict.fromkeys(msgspec.structs.asdict(PLAN), None)
    kept = {f.name for f in msgspec.structs.fields(Simulation)}
    given = {name: fields.get(name) for name in kept} | {"days": [made]}
    found = ramp(days, "2026-03-04", warm(), PLAN, {"2026-03-03": 50}, Simulation(**given))
    # Stage 2 began on the third: stage 1 was the two days before, and nothing before that.
    assert [one.planned for one in found] == [None, 100, 100, 200, 200, 300, 300, 300, 300]
    assert [one.sent for one in found] == [0, 0, 0, 50, 0, None, None, None, None]
    assert [one.would for one in found] == [*[None] * 5, 150, *[None] * 3]
    drawn = {line.label: line for line in chart(found).lines}
    assert drawn["planned"].kind == "steps"
    assert drawn["sent"].values == [one.sent for one in found]


def test_an_ip_without_a_plan_has_what_it_sent() -> None:
    days = days_of("2026-03-01", "2026-03-02")
    found = ramp(days, "2026-03-02", warm(stage=None), None, {"2026-03-01": 3}, None)
    assert [(one.planned, one.sent, one.would) for one in found] == [
        (None, 3, None),
        (None, 0, None),
    ]


def test_rates_are_of_a_second_and_the_table_has_some_of_many() -> None:
    one = rate("2026-03-01T00:00:00Z", Mail(came=120, relayed=60, held=3))
    assert (one.came, one.relayed, one.held, one.place) == (2.0, 1.0, 0.05, 1_772_323_200)
    drawn = rates([one])
    assert not drawn.days
    assert [list(line.values) for line in drawn.lines] == [[2.0], [1.0], [0.05]]
    later = rate("2026-03-01T00:01:00Z", Mail(came=60))
    drawn = rates([one, later])
    assert [place - one.place for place in drawn.places] == [0, 1, 60]
    assert list(drawn.lines[0].values) == [2.0, None, 1.0]
    many = [Rate(f"2026-03-01T00:{n // 60:02}:{n % 60:02}Z", n, 0, 0) for n in range(900)]
    some = told(many)
    assert len(some) == 20
    assert some[0] is many[-1]
    assert told([]) == []
