"""Days, sending hours and pace, as plain arithmetic."""

import math

from hypothesis import given
from hypothesis import strategies as st

from policy.limits import (
    DAY,
    HOUR,
    day_length,
    day_of,
    interval,
    next_day,
    open_time,
    opens_at,
    paced_until,
    wall_time,
)
from policy.model import Window

BASE = 20_000 * DAY

windows = st.builds(
    Window,
    start=st.integers(0, 86_399),
    length=st.integers(60, 86_399),
    offsets=st.tuples(st.tuples(st.just(0), st.integers(-43_200, 50_400))),
)


def test_a_day_is_a_utc_day() -> None:
    assert day_of(BASE) == day_of(BASE + DAY - 1) == 20_000
    assert next_day(BASE + 5) == BASE + DAY


@given(window=windows, now=st.integers(BASE, BASE + 3 * DAY), step=st.integers(0, DAY))
def test_open_time_never_runs_backwards_nor_faster_than_time(
    window: Window, now: int, step: int
) -> None:
    passed = open_time(window, now + step) - open_time(window, now)
    assert 0 <= passed <= step


@given(window=windows, now=st.integers(BASE, BASE + 3 * DAY))
def test_a_day_has_its_window_once(window: Window, now: int) -> None:
    assert open_time(window, now + DAY) - open_time(window, now) == day_length(window)


@given(window=windows, now=st.integers(BASE, BASE + 3 * DAY), ahead=st.integers(1, 2 * DAY))
def test_wall_time_is_the_first_moment_that_open_time_is_reached(
    window: Window, now: int, ahead: int
) -> None:
    target = open_time(window, now) + ahead
    moment = wall_time(window, target, now)
    assert open_time(window, moment) == target
    # At a window's edge open time stands still; the earliest moment with it may be before.
    assert open_time(window, moment - 1) <= target


@given(window=windows, now=st.integers(BASE, BASE + 3 * DAY))
def test_a_closed_window_says_when_it_opens(window: Window, now: int) -> None:
    opens = opens_at(window, now)
    if opens:
        assert now < opens <= now + DAY
        assert opens_at(window, opens) == 0
        assert open_time(window, opens) == open_time(window, now)


def test_summer_time_moves_the_window() -> None:
    window = Window(start=9 * 3600, length=3600, offsets=((0, 3600), (BASE // 1000 + 86_400, 7200)))
    assert opens_at(window, BASE) == BASE + 8 * HOUR
    assert opens_at(window, BASE + 10 * HOUR) == BASE + DAY + 7 * HOUR, "the evening before"
    assert opens_at(window, BASE + DAY) == BASE + DAY + 7 * HOUR


@given(
    quota=st.integers(1, 100_000),
    share=st.floats(0.01, 0.99),
    arrivals=st.lists(st.integers(0, DAY), min_size=1, max_size=200),
)
def test_pace_never_lets_more_than_burst_and_accrual(
    quota: int, share: float, arrivals: list[int]
) -> None:
    step = interval(quota, 0, None)
    tat, sent = 0.0, []
    for now in sorted(arrivals):
        if paced_until(tat, float(now), step, share, 1, None) is None:
            tat = max(tat, float(now)) + step
            sent.append(now)
    burst = max(1.0, share * quota)
    for index, first in enumerate(sent):
        within = len(sent) - index
        elapsed = sent[-1] - first
        assert within <= math.floor(burst + elapsed / step + 1e-6) + 1


def test_a_refused_pace_names_the_moment_it_fits() -> None:
    step = interval(24, 0, None)
    assert step == HOUR
    tat = HOUR * 3.0
    later = paced_until(tat, 0.0, step, 0.1, 1, None)
    assert later is not None
    assert paced_until(tat, later, step, 0.1, 1, None) is None
    assert paced_until(tat, later - 2, step, 0.1, 1, None) is not None
