"""Weeks of an IP, simulated: how often the rule pauses a healthy one, how often it catches a bad
one, and beside it the bare percentage, which scripts of operators compare.
"""

import functools
import math
import random
from bisect import bisect_right
from collections.abc import Iterator

import pytest

from policy.warmup.rule import Limit, Rule, verdict

RULE, LITERAL = Rule(), Rule(guard="literal")
WEEKS, LOOKS = 400, 20
"""Looks are by day."""


def marks(rng: random.Random, n: int, rate: float) -> list[int]:
    """Which of n mails show what happens at a rate."""
    found: list[int] = []
    at = 0
    while True:
        at += 1 + int(math.log(1.0 - rng.random()) / math.log1p(-rate))
        if at > n:
            return found
        found.append(at)


@functools.cache
def proven(count: int, of: int, limit: Limit, rule: Rule) -> bool:
    return verdict(count, of, limit, rule) == "proven"


def pauses(quota: int, bounces: float, complaints: float, rule: Rule, looks: int) -> Iterator[int]:
    """After how many mails each week pauses; 0: it does not."""
    rng = random.Random(7)
    times = [quota * look // looks for look in range(1, 7 * looks + 1)]
    for _ in range(WEEKS):
        rates = (
            (marks(rng, 7 * quota, bounces), rule.bounces),
            (marks(rng, 7 * quota, complaints), rule.complaints),
        )
        yield next(
            (
                sent
                for sent in times
                for at, limit in rates
                if proven(bisect_right(at, sent), sent, limit, rule)
            ),
            0,
        )


def share(quota: int, bounces: float, complaints: float, rule: Rule = RULE) -> float:
    looks = LOOKS if rule is RULE else 1
    return sum(after > 0 for after in pauses(quota, bounces, complaints, rule, looks)) / WEEKS


@pytest.mark.parametrize(
    ("quota", "bounces", "complaints", "low", "high"),
    [
        *((quota, 0.01, 0.0001, 0.0, 0.005) for quota in (50, 200, 500)),
        *((quota, 0.02, 0.0003, 0.0, 0.02) for quota in (50, 200, 500, 1_500)),
        (50, 0.07, 0.0003, 0.92, 0.99),
        *((quota, 0.07, 0.0003, 0.99, 1.0) for quota in (200, 500)),
        (50, 0.02, 0.003, 0.08, 0.19),
        (200, 0.02, 0.003, 0.54, 0.70),
        (500, 0.02, 0.003, 0.92, 0.99),
        (50, 0.02, 0.005, 0.24, 0.39),
        (200, 0.02, 0.005, 0.90, 0.98),
    ],
)
def test_the_guard_spares_the_healthy_and_catches_the_rest(
    quota: int, bounces: float, complaints: float, low: float, high: float
) -> None:
    assert low <= share(quota, bounces, complaints) <= high


@pytest.mark.parametrize(("quota", "about"), [(50, 0.18), (200, 0.23), (500, 0.19)])
def test_the_bare_percentage_pauses_many_that_are_healthy(quota: int, about: float) -> None:
    assert share(quota, 0.02, 0.0003, LITERAL) == pytest.approx(about, abs=0.07)


@pytest.mark.parametrize(("quota", "median"), [(50, 54), (200, 70), (500, 75)])
def test_a_tenth_of_bounces_is_met_soon(quota: int, median: int) -> None:
    after = sorted(after or 9_999 for after in pauses(quota, 0.1, 0.0003, RULE, LOOKS))
    assert after[WEEKS // 2] == pytest.approx(median, rel=0.3)
