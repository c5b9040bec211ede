"""Sending hours: local time with its zone's changes, as numbers."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from control.plan.hours import REACH, hours, hours_text, offsets, window
from control.problem import RefusedError
from policy.limits import opens_at


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_every_change_of_offset_is_found_to_the_second() -> None:
    since = at("2026-01-15T12:00")
    assert offsets(ZoneInfo("Europe/Paris"), since) == (
        (since, 3600),
        (at("2026-03-29T01:00"), 7200),
        (at("2026-10-25T01:00"), 3600),
        (at("2027-03-28T01:00"), 7200),
        (at("2027-10-31T01:00"), 3600),
    )
    assert offsets(ZoneInfo("Asia/Kolkata"), since) == ((since, 19_800),)
    casablanca = offsets(ZoneInfo("Africa/Casablanca"), since)
    assert len(casablanca) == 5, "a month in each of two years"
    assert all(since <= second <= since + REACH for second, _ in casablanca)


def test_a_window_opens_at_local_time_in_summer_and_winter() -> None:
    made = window(*hours("09:00-17:00"), "Europe/Paris", at("2026-01-15T12:00"))
    for moment, opens in (
        ("2026-02-01T07:59:59", "2026-02-01T08:00"),
        ("2026-07-01T06:59:59", "2026-07-01T07:00"),
        ("2027-12-01T16:00", "2027-12-02T08:00"),
    ):
        assert opens_at(made, at(moment) * 1000) == at(opens) * 1000
    assert opens_at(made, at("2026-07-01T07:00") * 1000) == 0


def test_hours_are_read_and_written() -> None:
    for text, found in (
        ("09:00-17:30", (32_400, 30_600)),
        ("22:00-06:00", (79_200, 28_800)),
        ("18:00-24:00", (64_800, 21_600)),
        ("00:00-23:59", (0, 86_340)),
    ):
        assert hours(text) == found
        assert hours(hours_text(*found)) == found
    for wrong in ("", "9-17", "09:00", "25:00-26:00", "09:00-24:30", "10:00-10:00", "00:00-24:00"):
        with pytest.raises(RefusedError, match="hours: "):
            hours(wrong)


def test_an_unknown_zone_is_named() -> None:
    for wrong in ("Europe/Pariss", "", "../../etc/passwd", "/etc/passwd", "posixrules/x"):
        with pytest.raises(RefusedError, match="zone: "):
            window(0, 60, wrong, 0.0)
