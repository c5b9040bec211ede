"""An instant is cut to its second, a promise rounded up to one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from policy.isotime import instant, instant_of, not_before
from tests.support.repository import ROOT

AT = 1_727_913_600_000
"""2024-10-03T00:00:00Z."""


@pytest.mark.parametrize(
    ("behind", "shown", "promised"),
    [(0, "00:00:00", "00:00:00"), (1, "00:00:00", "00:00:01"), (999, "00:00:00", "00:00:01")],
)
def test_instants_are_cut_and_promises_rounded_up(behind: int, shown: str, promised: str) -> None:
    assert instant(AT + behind) == f"2024-10-03T{shown}Z"
    assert not_before(AT + behind) == f"2024-10-03T{promised}Z"


def test_before_1970_an_instant_is_not_later_than_it_was() -> None:
    assert instant(-1) == "1969-12-31T23:59:59Z"
    assert not_before(-1) == "1970-01-01T00:00:00Z"


def test_a_time_of_another_zone_is_the_same_instant_and_no_fraction_is_lost() -> None:
    at = datetime(2024, 10, 3, 2, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert instant_of(at) == "2024-10-03T00:00:00Z"
    assert instant_of(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == (
        "9999-12-31T23:59:59Z"
    )


def test_times_are_written_in_one_place() -> None:
    found = {
        str(file.relative_to(ROOT))
        for room in ("control", "gateway", "policy")
        for file in (ROOT / room).rglob("*.py")
        if "%H:%M:%SZ" in file.read_text(encoding="utf-8")
    }
    assert found == {"policy/isotime.py"}
