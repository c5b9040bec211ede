"""What is said of a ramp that falls."""

import pytest

from control.values.ramp import falling


@pytest.mark.parametrize("stages", [(), (5,), (5, 5), (5, 10, 20)])
def test_one_that_rises_or_stays_is_nothing_to_warn_of(stages: tuple[int, ...]) -> None:
    assert falling(stages) == ""


def test_the_first_fall_is_named() -> None:
    assert falling((5, 50, 20, 10)).startswith("the ramp falls from 50 in stage 2 to 20 in stage 3")
