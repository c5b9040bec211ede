"""The numbers of the rule: what advances, what holds, what pauses."""

from fractions import Fraction
from math import comb

import pytest

from policy.warmup.rule import Rule, proof, verdict
from policy.warmup.tail import tail

RULE = Rule()
BOUNCES, COMPLAINTS = RULE.bounces, RULE.complaints


@pytest.mark.parametrize(
    ("n", "bounces", "complaints"),
    [
        (350, (17, 18), (0, 3)),
        (1_400, (69, 71), (1, 4)),
        (3_500, (174, 176), (3, 6)),
        (10_500, (524, 526), (10, 11)),
        (35_000, (1_749, 1_751), (34, 36)),
        (70_000, (3_499, 3_501), (69, 71)),
    ],
)
def test_a_week_of_each_stage_advances_and_pauses_at_its_counts(
    n: int, bounces: tuple[int, int], complaints: tuple[int, int]
) -> None:
    for limit, (advance, pause) in ((BOUNCES, bounces), (COMPLAINTS, complaints)):
        assert proof(n, limit, RULE) == pause
        assert verdict(advance, n, limit, RULE) == "under"
        assert verdict(pause, n, limit, RULE) == "proven"
        for count in range(advance + 1, pause):
            assert verdict(count, n, limit, RULE) == "over"


@pytest.mark.parametrize(
    ("quota", "bounces", "complaints"),
    [
        (50, 6, 2),
        (200, 12, 3),
        (500, 26, 3),
        (1_500, 76, 5),
        (5_000, 251, 7),
        (10_000, 501, 11),
    ],
)
def test_the_first_day_of_each_stage_pauses(quota: int, bounces: int, complaints: int) -> None:
    assert proof(quota, BOUNCES, RULE) == bounces
    assert proof(quota, COMPLAINTS, RULE) == complaints


@pytest.mark.parametrize(
    ("n", "bounces", "complaints"),
    [
        (10, 3, 2),
        (25, 5, 2),
        (50, 6, 2),
        (100, 8, 2),
        (200, 12, 3),
        (350, 18, 3),
        (700, 36, 4),
        (1_000, 51, 4),
    ],
)
def test_small_samples_pause_at_their_counts(n: int, bounces: int, complaints: int) -> None:
    assert proof(n, BOUNCES, RULE) == bounces
    assert proof(n, COMPLAINTS, RULE) == complaints


def test_the_bare_percentage_pauses_at_the_first_count_above_it() -> None:
    literal = Rule(guard="literal")
    assert proof(50, BOUNCES, literal) == 3
    assert proof(350, COMPLAINTS, literal) == 1
    assert verdict(70, 1_400, BOUNCES, literal) == "over", "5 % is not over 5 %"


def test_one_report_alone_proves_nothing() -> None:
    for n in range(4):
        assert verdict(1, n, COMPLAINTS, RULE) == "over"


@pytest.mark.parametrize("p", [0.0003, 0.02, 0.5, 0.93])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_the_tail_is_exact(n: int, p: float) -> None:
    exact = Fraction(p)
    for k in range(n + 2):
        wanted = sum(comb(n, i) * exact**i * (1 - exact) ** (n - i) for i in range(k, n + 1))
        assert tail(k, n, p) == pytest.approx(float(wanted), rel=1e-9, abs=1e-13)


def test_what_is_no_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="no sample"):
        tail(1, -1, 0.1)
    with pytest.raises(ValueError, match="no sample"):
        tail(1, 1, 1.1)
    assert tail(2, 1, 0.5) == 0.0
    assert tail(0, 0, 0.5) == tail(3, 3, 1.0) == 1.0
