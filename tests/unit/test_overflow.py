"""Overflow: one walk that ends whatever the rows say, and every circle named once."""

import re
import signal
from collections.abc import Iterator
from importlib.resources import files

import pytest

from policy.denial import Denied
from policy.forecast import coming
from policy.model import Pool
from policy.overflow import DEEPEST, chain, circles, too_deep
from policy.plan import problems
from policy.selection import Usage, biggest_day, choose, room
from tests.support.gateway.generations import generation, vmta


@pytest.fixture(autouse=True)
def _an_end() -> Iterator[None]:
    """A walk without an end is a failure, not a test that never ends."""

    def fail(*_: object) -> None:
        raise AssertionError("it walks in a circle")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _pools(*pairs: tuple[str, str | None]) -> dict[str, Pool]:
    return {
        name: Pool(name=name, tenant="acme", members=(f"vmta-{i}",), overflow=overflow)
        for i, (name, overflow) in enumerate(pairs, 1)
    }


def test_a_chain_has_each_pool_once_and_ends() -> None:
    pools = _pools(("a", "b"), ("b", "c"), ("c", "a"), ("d", "d"), ("e", "gone"))
    names = {name: [step.name for step in chain(pool, pools)] for name, pool in pools.items()}
    assert names["a"] == ["a", "b", "c"]
    assert names["c"] == ["c", "a", "b"]
    assert names["d"] == ["d"]
    assert names["e"] == ["e"]
    line = _pools(*((f"p{i:02}", f"p{i + 1:02}") for i in range(20)))
    assert len(chain(line["p00"], line)) == DEEPEST


def test_every_circle_is_named_once_with_its_pools() -> None:
    found = circles({"a": "b", "b": "a", "x": "a", "y": "x", "s": "s", "fine": "last"})
    assert [sentence.partition(":")[0] for sentence in found] == [
        "pools a → b → a overflow in a circle",
        "pool s overflows into itself",
    ]
    assert circles({"a": "b", "b": "c", "c": None, "d": "b"}) == []
    plan = generation(vmta(1), vmta(2), pools=tuple(_pools(("a", "b"), ("b", "a")).values()))
    assert [text for text in problems(plan) if "circle" in text] == found[:1]


def test_what_the_ledger_would_not_reach_is_refused() -> None:
    line = {f"p{i}": f"p{i + 1}" for i in range(DEEPEST - 1)}
    assert too_deep(line) == []
    assert too_deep({**line, f"p{DEEPEST - 1}": f"p{DEEPEST}"}) == [
        f"pool p0: more than {DEEPEST} pools overflow one into the next"
    ]
    script = (files("policy.ledger") / "limiting.lua").read_text("utf-8")
    assert re.findall(r"DEEPEST = (\d+)", script) == [str(DEEPEST)]


def test_decisions_over_unchecked_pools_come_to_an_end() -> None:
    pools = _pools(("a", "b"), ("b", "a"))
    vmtas = {f"vmta-{i}": vmta(i, daily=i) for i in (1, 2)}
    full = Usage(relayed=9)
    denied = choose(pools["a"], pools, vmtas, lambda _: full, (("gmail", 1),), 0, None)
    assert isinstance(denied, Denied)
    assert biggest_day(pools["a"], pools, vmtas) == 2
    assert room(pools["a"], pools, vmtas, lambda _: Usage(), "gmail", 0, None) == 3
    assert coming(pools["a"], pools, vmtas, None) == 3
