"""Whether one more message may wait, how slowly it is answered, and what a deferral says."""

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.forecast import Admission, Backlog, admit, defer_sentence, gone_by
from policy.limits import DAY, HOUR
from policy.model import HoldBounds, Window

BOUNDS = HoldBounds(messages=1000, octets=1_000_000, age=10 * 86_400.0)
ACCEPTING = HoldBounds(messages=1000, octets=1_000_000, age=10 * 86_400.0, past="accept")


def _admit(
    messages: int = 0, octets: int = 0, days: float = 0.0, bounds: HoldBounds = BOUNDS
) -> Admission:
    backlog = Backlog(messages=messages, octets=octets)
    return admit(bounds, backlog, days, slow_from=0.8, slow_most=10.0)


@pytest.mark.parametrize(
    ("messages", "octets", "days", "accept", "delay", "bound"),
    [
        (0, 0, 0.0, True, 0.0, "messages"),
        (800, 0, 0.0, True, 0.0, "messages"),
        (900, 0, 0.0, True, 5.0, "messages"),
        (999, 0, 0.0, True, 9.95, "messages"),
        (1000, 0, 0.0, False, 10.0, "messages"),
        (9000, 0, 0.0, False, 10.0, "messages"),
        (100, 900_000, 0.0, True, 5.0, "octets"),
        (100, 1_000_000, 0.0, False, 10.0, "octets"),
        (100, 200_000, 8.5, True, 2.5, "wait"),
        (900, 900_000, 10.0, False, 10.0, "wait"),
        (0, 0, math.inf, False, 10.0, "wait"),
    ],
)
def test_the_fullest_bound_decides(
    messages: int, octets: int, days: float, accept: bool, delay: float, bound: str
) -> None:
    found = _admit(messages, octets, days)
    assert (found.accept, found.bound, found.projected_days) == (accept, bound, days)
    assert found.delay == pytest.approx(delay)


@pytest.mark.parametrize(("messages", "days"), [(1000, 0.0), (5000, 3.0), (0, math.inf)])
def test_a_tenant_may_hold_on_past_a_bound_as_slowly_as_can_be(messages: int, days: float) -> None:
    found = _admit(messages, days=days, bounds=ACCEPTING)
    assert (found.accept, found.delay) == (True, 10.0)
    assert found.share >= 1


@pytest.mark.parametrize("past", ["defer", "accept"])
@pytest.mark.parametrize("bounds", [{"messages": 0}, {"octets": 0}])
def test_a_bound_of_zero_holds_nothing(
    bounds: dict[str, int], past: Literal["defer", "accept"]
) -> None:
    found = _admit(bounds=HoldBounds(past=past, **bounds))
    assert (found.accept, found.bound, found.share) == (False, next(iter(bounds)), 1.0)


def test_slowing_only_at_the_bound_itself_divides_by_nothing() -> None:
    for messages, delay in ((999, 0.0), (1000, 10.0)):
        backlog = Backlog(messages=messages)
        assert admit(BOUNDS, backlog, 0.0, slow_from=1.0, slow_most=10.0).delay == delay


@given(
    one=st.integers(0, 1500),
    two=st.integers(0, 1500),
    slow_from=st.floats(0.01, 1),
    slow_most=st.floats(0, 20),
    past=st.sampled_from([BOUNDS, ACCEPTING]),
)
def test_a_fuller_hold_is_never_quicker_nor_more_open(
    one: int, two: int, slow_from: float, slow_most: float, past: HoldBounds
) -> None:
    less, more = (
        admit(past, Backlog(messages=n), 0.0, slow_from=slow_from, slow_most=slow_most)
        for n in sorted((one, two))
    )
    assert less.accept >= more.accept
    assert 0 <= less.delay <= more.delay <= slow_most


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0.0, "what waits now will be gone by 2024-10-04"),
        (0.1, "what waits now will be gone by 2024-10-05"),
        (31.0, "what waits now will be gone by 2024-11-04"),
        (31.5, "what waits now will be gone by 2024-11-05"),
        (math.inf, "nobody can say when what waits now will be gone"),
        (1e18, "nobody can say when what waits now will be gone"),
        (3_500_000.0, "nobody can say when what waits now will be gone"),
    ],
)
def test_a_deferral_names_the_day_when_there_will_be_room(days: float, text: str) -> None:
    # 20,000 days after 1970-01-01 is 2024-10-04.
    sentence = defer_sentence(_admit(1000, days=days), 20_000 * DAY + DAY - 1, None)
    assert sentence.endswith(f"; {text}")


# One to half past one in the night; on the next day clocks are put on from one to two.
NIGHTS = Window(start=3600, length=1800, offsets=((0, 0), (20_001 * 86_400 + 3600, 3600)))


@pytest.mark.parametrize(
    ("hour", "days", "gone"),
    [
        (0, 0.0, "2024-10-04"),
        (2, 0.0, "2024-10-06"),  # over for today, and left out tomorrow
        (0, 0.5, "2024-10-05"),
        (2, 0.5, "2024-10-06"),
        (2, 1.0, "2024-10-06"),
        (2, 1.5, "2024-10-07"),
        (2, math.inf, None),
    ],
)
def test_nothing_is_gone_before_the_sending_hours_begin(
    hour: int, days: float, gone: str | None
) -> None:
    found = gone_by(days, 20_000 * DAY + hour * HOUR, NIGHTS)
    assert (found and found.isoformat()) == gone
    sentence = defer_sentence(_admit(1000, days=days), 20_000 * DAY + hour * HOUR, NIGHTS)
    assert (gone or "nobody") in sentence


@given(days=st.floats(0, allow_nan=False), now=st.integers(-(10**15), 10**18))
def test_any_deferral_fits_a_reply(days: float, now: int) -> None:
    sentence = defer_sentence(_admit(1000, days=days), now, None)
    assert sentence.isascii()
    assert sentence.isprintable()
    assert len(sentence) < 200
