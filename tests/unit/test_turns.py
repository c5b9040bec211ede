"""Turns between tenants: by weight, and nobody's backlog delays another's next message."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from policy.turns import Turns

weights = st.dictionaries(
    st.sampled_from("abcde"), st.sampled_from([0.1, 0.5, 1.0, 2.0, 3.0, 7.0]), min_size=2
)


def test_equals_take_turns_over_rounds_of_any_size() -> None:
    turns, rooms = Turns(), dict.fromkeys("abc", 100)
    got = [name for size in (1, 2, 5, 1, 3) for name in turns.share_out(rooms, {}, size)]
    assert got == list("abcabcabcabc")


def test_a_weight_of_three_is_three_turns_of_four() -> None:
    order = Turns().share_out({"a": 100, "b": 100}, {"a": 3.0}, 40)
    assert Counter(order) == {"a": 30, "b": 10}


def test_turns_that_one_has_no_mail_for_are_others() -> None:
    assert Counter(Turns().share_out({"a": 2, "b": 100, "c": 0}, {}, 10)) == {"a": 2, "b": 8}
    assert Turns().share_out({"a": 2}, {}, 10) == ["a", "a"]
    assert Turns().share_out({}, {}, 10) == []


def test_who_was_away_has_saved_nothing_up() -> None:
    turns = Turns()
    turns.share_out({"a": 1000}, {}, 1000)
    assert Counter(turns.share_out({"a": 1000, "b": 1000}, {}, 100)) == {"a": 50, "b": 50}


@given(weights=weights, away=st.integers(0, 200), size=st.integers(1, 9), data=st.data())
def test_however_much_others_have_the_next_turn_comes_within_the_bound(
    weights: dict[str, float], away: int, size: int, data: st.DataObject
) -> None:
    mine = data.draw(st.sampled_from(sorted(weights)))
    turns = Turns()
    others = {name: 1 << 40 for name in weights if name != mine}
    for _ in range(away):
        turns.share_out(others, weights, size)
    before: Counter[str] = Counter()
    for _ in range(300):  # of its messages one after the other, each seen when the last has gone
        for name in turns.share_out({**others, mine: 1}, weights, 1):
            if name == mine:
                before.clear()
            else:
                before[name] += 1
                assert before[name] <= weights[name] / weights[mine] + 1 + 1e-6, before


@given(weights=weights, sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_shares_are_the_weights_within_a_turn(weights: dict[str, float], sizes: list[int]) -> None:
    turns, got = Turns(), Counter[str]()
    rooms = dict.fromkeys(weights, 1 << 40)
    for size in sizes:
        got.update(turns.share_out(rooms, weights, size))
    used = [got[name] / weight for name, weight in weights.items()]
    for name, weight in weights.items():
        assert got[name] / weight >= max(used) - 1 / weight - 1 / min(weights.values()) - 1e-6


def test_tenants_that_are_gone_are_forgotten() -> None:
    turns = Turns()
    turns.share_out({"a": 1, "b": 1}, {}, 2)
    turns.forget(frozenset("b"))
    assert set(turns._ends) == set(turns._served) == {"b"}
