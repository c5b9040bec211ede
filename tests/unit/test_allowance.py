"""So many requests a minute of each of many: exactly those, and nobody gets more by being many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.users.allowance import WINDOW, Allowance


def took(allowance: Allowance, key: str, now: float) -> bool:
    if not allowance.see(key, now).remaining:
        return False
    allowance.take(key, now)
    return True


@pytest.mark.parametrize("most", [1, 3, 7, 120, 3_000, 999_983])
def test_all_at_once_or_one_by_one(most: int) -> None:
    few = min(most, 3_000)
    allowance = Allowance(most, keys=10)
    if most == few:
        assert sum(took(allowance, "a", 5.0) for _ in range(most + 10)) == most
        assert allowance.see("a", 5.0).remaining == 0
        assert allowance.see("a", 5.0 + WINDOW / most).remaining == 1
        assert allowance.see("a", 5.0 + WINDOW).remaining == most
    steady = Allowance(most, keys=10)
    assert all(took(steady, "a", at * WINDOW / most) for at in range(few * 2))


@given(st.integers(1, 50), st.lists(st.floats(0, 30), min_size=1, max_size=200))
def test_no_window_has_more_than_twice_and_no_wait_is_too_short(
    most: int, gaps: list[float]
) -> None:
    """What stands in the books as `most`, a bucket gives at once and again while it refills."""
    allowance, now, passed = Allowance(most, keys=10), 0.0, []
    for gap in gaps:
        now += gap
        left = allowance.see("a", now)
        assert 0 <= left.remaining <= most
        if left.remaining:
            after = allowance.take("a", now)
            assert after.remaining >= left.remaining - 1
            passed.append(now)
        else:
            assert allowance.see("a", now + left.seconds).remaining >= 1
    for start in passed:
        assert sum(start <= at < start + WINDOW for at in passed) <= 2 * most


def test_a_stranger_uses_up_nobody_elses() -> None:
    allowance = Allowance(5, keys=10)
    assert sum(took(allowance, "guesser", 1.0) for _ in range(100)) == 5
    assert sum(took(allowance, "anna", 1.0) for _ in range(100)) == 5


def test_who_pushes_others_in_gets_nothing_back() -> None:
    """Every place is taken: those that are known keep theirs, used up or not, and those that are
    new share one allowance."""
    allowance = Allowance(5, keys=100)
    assert sum(took(allowance, "guesser", 1.0) for _ in range(9)) == 5
    assert took(allowance, "anna", 1.0)
    for at in range(98):
        assert took(allowance, f"one{at}", 1.0)
    assert len(allowance) == 100
    assert sum(took(allowance, f"more{at}", 1.5) for at in range(1_000)) == 5
    assert len(allowance) == 100
    assert not took(allowance, "guesser", 2.0)
    assert sum(took(allowance, "anna", 2.0) for _ in range(9)) == 4


def test_nothing_is_left_of_who_asks_no_more() -> None:
    allowance = Allowance(5, keys=100)
    for at in range(100):
        took(allowance, f"one{at}", 0.0)
    assert took(allowance, "another", 5.0)
    assert len(allowance) == 100, "the places of all are still needed"
    assert took(allowance, "another", 13.0)
    assert len(allowance) == 1, "one request of five a minute is given back in 12 s"
    assert took(allowance, "the next", 200.0)
    assert len(allowance) == 1
