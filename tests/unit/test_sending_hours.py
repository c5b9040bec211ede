"""Sending hours over the nights in which clocks change: minute by minute beside `zoneinfo`."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from control.plan.hours import hours, window
from policy.limits import open_time, opens_at, wall_time
from policy.model import Window

MINUTE = 60_000

NIGHTS = {
    ("Europe/Paris", "spring"): "2026-03-29T01:00",
    ("Europe/Paris", "autumn"): "2026-10-25T01:00",
    ("America/New_York", "spring"): "2026-03-08T07:00",
    ("America/New_York", "autumn"): "2026-11-01T06:00",
    ("Australia/Lord_Howe", "spring"): "2026-10-03T15:30",  # half an hour
    ("Australia/Lord_Howe", "autumn"): "2026-04-04T15:00",
    ("Antarctica/Troll", "spring"): "2026-03-29T01:00",  # two hours
    ("Antarctica/Troll", "autumn"): "2026-10-25T01:00",
}
"""The moment of the change, UTC."""

HOURS = ["01:00-04:00", "02:30-05:00", "01:45-02:15", "09:00-17:30", "22:00-02:30", "00:00-23:30"]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def made(text: str, zone: str) -> Window:
    return window(*hours(text), zone, ms("2026-01-15T12:00") // 1000)


def is_open(text: str, zone: str, moment: int) -> bool:
    """What a clock on the wall there shows."""
    there = datetime.fromtimestamp(moment // 1000, UTC).astimezone(ZoneInfo(zone))
    start, length = hours(text)
    return (there.hour * 3600 + there.minute * 60 + there.second - start) % 86_400 < length


@pytest.mark.parametrize("text", HOURS)
@pytest.mark.parametrize(("zone", "season"), NIGHTS)
def test_hours_open_when_the_clock_on_the_wall_says_so(zone: str, season: str, text: str) -> None:
    change, there = ms(NIGHTS[zone, season]), made(text, zone)
    minutes = range(change - 2 * 1440 * MINUTE, change + 3 * 1440 * MINUTE, MINUTE)
    opened = [is_open(text, zone, at) for at in minutes]
    following = 0
    for at, open_now in zip(reversed(minutes), reversed(opened), strict=True):
        if open_now:
            following = at
        if following:
            assert opens_at(there, at) == (0 if open_now else following), at


@pytest.mark.parametrize("text", HOURS)
@pytest.mark.parametrize(("zone", "season"), NIGHTS)
def test_open_time_is_reached_at_the_first_open_moment_and_no_other(
    zone: str, season: str, text: str
) -> None:
    change, there = ms(NIGHTS[zone, season]), made(text, zone)
    dice = random.Random(zone + season + text)
    for _ in range(60):
        now = change + dice.randrange(-1440, 600) * MINUTE
        target = open_time(there, now) + dice.randrange(0, hours(text)[1] // 60) * MINUTE
        moment = wall_time(there, target, now)
        assert moment >= now
        assert opens_at(there, moment) == 0
        assert open_time(there, moment) >= target
        for at in range(now, moment, MINUTE):
            assert opens_at(there, at) or open_time(there, at) < target, (now, target, at)


@pytest.mark.parametrize(
    ("zone", "text", "asked", "opens"),
    [
        ("Europe/Paris", "09:00-17:00", "2026-03-28T20:00", "2026-03-29T07:00"),
        ("Europe/Paris", "09:00-17:00", "2026-10-24T20:00", "2026-10-25T08:00"),
        ("Europe/Paris", "02:30-05:00", "2026-03-28T20:00", "2026-03-29T01:00"),  # 03:00
        ("Europe/Paris", "02:30-05:00", "2026-10-25T01:00", "2026-10-25T01:30"),  # opens again
        ("America/New_York", "09:00-17:00", "2026-03-08T00:00", "2026-03-08T13:00"),
        ("America/New_York", "09:00-17:00", "2026-11-01T00:00", "2026-11-01T14:00"),
        ("Australia/Lord_Howe", "09:00-17:00", "2026-10-03T10:00", "2026-10-03T22:00"),
        ("Australia/Lord_Howe", "09:00-17:00", "2026-04-04T10:00", "2026-04-04T22:30"),
        ("Antarctica/Troll", "09:00-17:00", "2026-03-28T20:00", "2026-03-29T07:00"),
        ("Antarctica/Troll", "09:00-17:00", "2026-10-24T20:00", "2026-10-25T09:00"),
        ("Antarctica/Troll", "01:00-04:00", "2026-03-29T02:30", "2026-03-29T23:00"),
    ],
)
def test_the_hour_that_is_named_is_the_true_one(
    zone: str, text: str, asked: str, opens: str
) -> None:
    found = datetime.fromtimestamp(opens_at(made(text, zone), ms(asked)) / 1000, UTC)
    assert found == datetime.fromisoformat(opens).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "spring", "autumn"),
    [
        ("Europe/Paris", 2, 4),
        ("America/New_York", 2, 4),
        ("Australia/Lord_Howe", 2.5, 3.5),
        ("Antarctica/Troll", 1, 5),
    ],
)
def test_a_window_of_three_hours_is_as_long_as_the_night_makes_it(
    zone: str, spring: float, autumn: float
) -> None:
    there = made("01:00-04:00", zone)
    for season, expected in (("spring", spring), ("autumn", autumn)):
        change = ms(NIGHTS[zone, season])
        around = range(change - 6 * 60 * MINUTE, change + 6 * 60 * MINUTE, MINUTE)
        length = timedelta(minutes=sum(not opens_at(there, at) for at in around))
        assert length == timedelta(hours=expected), season
