"""What the two headers name, and what a tag is of."""

import msgspec
import pytest

from control.api.precondition import Tags, of_set, settled, tags


@pytest.mark.parametrize(
    ("lines", "strong", "weak"),
    [
        (['"a"'], {"a"}, set()),
        (['"a", W/"b" ,"c,d"'], {"a", "c,d"}, {"b"}),
        (['"a"', '"b"'], {"a", "b"}, set()),
        (['""'], {""}, set()),
        (["a"], set(), set()),
        (['a, "b"'], {"b"}, set()),
        (['"a'], set(), set()),
        (['w/"a"'], set(), set()),
        (['"a" "b"'], set(), set()),
        (['"a", *'], {"a"}, set()),
        ([""], set(), set()),
        (['"é"'], {"é"}, set()),
        ([',, "a",,'], {"a"}, set()),
    ],
)
def test_a_list_of_tags_is_read(lines: list[str], strong: set[str], weak: set[str]) -> None:
    assert tags(lines) == Tags(any=False, strong=frozenset(strong), weak=frozenset(weak))


def test_a_star_is_whatever_there_is_and_no_header_is_no_condition() -> None:
    assert tags([" * "]) == Tags(any=True)
    assert tags([]) is None


class Inner(msgspec.Struct):
    name: str
    next: str


class Shown(msgspec.Struct):
    set: int
    used: str | None
    inner: list[Inner]
    one: Inner | None = None


def test_what_is_measured_is_left_out_of_what_is_set() -> None:
    measured = {"used", "inner.next", "one.next"}
    first = settled(Shown(1, None, [Inner("a", "x")]), measured)
    assert settled(Shown(1, "now", [Inner("a", "y")]), measured) == first
    assert settled(Shown(2, None, [Inner("a", "x")]), measured) != first
    assert settled(Shown(1, None, [Inner("b", "x")]), measured) != first
    assert settled([Shown(1, "now", [Inner("a", "y")])], measured) == settled(
        [Shown(1, None, [Inner("a", "x")])], measured
    )
    assert settled({"a": 1, "b": 2}) == settled({"b": 2, "a": 1})


def test_a_tag_of_a_coded_answer_is_of_the_same_thing() -> None:
    assert {of_set(tag) for tag in ("a1", "a1.b2", "a1-gzip", "a1.b2-gzip")} == {"a1"}
