"""Patterns of operators: which are used, which are refused, and that none of them runs for long."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import DEFAULT_FEEDBACK_ID, DEFAULT_LIST_UNSUBSCRIBE
from policy.pattern import LONGEST, READ, compiled, pattern_problem

BOTH = "(?P<campaign>x)(?P<subscriber>y)"


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT_FEEDBACK_ID,
        DEFAULT_LIST_UNSUBSCRIBE,
        r"(?P<campaign>[^:]+):(?P<subscriber>[^:]+):.*",
        r"(?P<campaign>\d+)(?:-(?P<subscriber>\d+))?",
        r"https?://[^/]+/c/(?P<campaign>[a-z0-9-]+)/s/(?P<subscriber>\w+)",
        r"(?i)id=(?P<campaign>[a-z]{3}[0-9]{4})\b.(?P<subscriber>[0-9a-f]{8})",
        r"(?:c|k)(?P<campaign>\d+)(?=s)s(?P<subscriber>\d++)",
        BOTH + "x" * (LONGEST - len(BOTH)),
    ],
)
def test_patterns_people_write_are_used(text: str) -> None:
    assert pattern_problem(text) == ""
    assert compiled(text) is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOTH + "x" * (LONGEST + 1 - len(BOTH)), "longer than 500"),
        ("(?P<campaign>x", "does not compile"),
        ("(?P<campaign>x)(?P<subscriber>y){4294967295}", "does not compile"),
        ("(?u)" + BOTH, "does not compile"),
        (BOTH + "[[a]b]", "does not compile"),
        ("(?L)" + BOTH, "locale"),
        ("é" + BOTH, "outside ASCII"),
        ("(?P<campaign>x)", "no group (?P<subscriber>"),
        ("(?P<subscriber>x)", "no group (?P<campaign>"),
        (r"(?P<campaign>(a+)+):(?P<subscriber>b)", "repeats a part"),
        (r"(?P<campaign>(?:a|ab)*):(?P<subscriber>b)", "repeats a part"),
        (r"(?P<campaign>(?:a(?:bc?))*):(?P<subscriber>b)", "repeats a part"),
        (r"(?P<campaign>(?>a+)*):(?P<subscriber>b)", "repeats a part"),
        (r"(?P<campaign>(?=a+)a*):(?P<subscriber>b)", "look-around"),
        (BOTH + "(?:(?:){9999}){9999}", "may be empty"),
        (BOTH + "(?=(?:(?:){9999}){9999})", "may be empty"),
        (BOTH + r"(?i:a)", "flags"),
        (r"(?P<campaign>a+)\1(?P<subscriber>b)", "groupref"),
        (r"(?P<campaign>.*):(?P<subscriber>.*):.*", "too many ways"),
        (r"(?P<campaign>.*?):(?P<subscriber>b)", "too many ways"),
        (r"\s*(?P<campaign>[^:]+):(?P<subscriber>b)", "too many ways"),
        (r"(?i)(?P<campaign>[a-z]+)A(?P<subscriber>b)", "too many ways"),
        (r"(?P<campaign>a+)b?(?P<subscriber>a+)", "too many ways"),
        (r"(?P<campaign>a+)(?=a)\b(?P<subscriber>a)", "too many ways"),
        (BOTH + "a?" * 28 + "a" * 28, "too many ways"),
        (BOTH + "(?:a|a)" * 30, "too many ways"),
    ],
)
def test_other_patterns_are_refused_with_the_reason(text: str, reason: str) -> None:
    assert reason in pattern_problem(text)
    assert compiled(text) is None


def test_a_deep_pattern_is_refused_or_used_but_never_raises() -> None:
    deep = "(" * 230 + ")" * 230
    assert pattern_problem(BOTH + deep) in ("", "is nested too deeply")


@given(text=st.text(max_size=60))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert (compiled(text) is None) == bool(pattern_problem(text))


PIECES = r"a b [ab] . \w [^a] a* b+ .* \w+ [^a]* a? b{1,9} (?:ab)* (?:a|b) (?:ab?)? ^ \b c"
pieces = st.sampled_from(PIECES.split())


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(pieces, max_size=14), probe=st.sampled_from([b"a", b"b", b"ab", b"aab"]))
def test_no_pattern_that_is_used_runs_for_long(parts: list[str], probe: bytes) -> None:
    text = "".join(parts) + BOTH
    pattern = compiled(text)
    if pattern is None:
        return
    value = (probe * READ)[:READ]
    before = time.process_time()
    assert pattern.search(value) is None
    # Measured at most 0.2 s; one way too many takes minutes.
    assert time.process_time() - before < 5


def test_what_is_used_is_the_pattern_itself() -> None:
    pattern = compiled(DEFAULT_FEEDBACK_ID)
    assert pattern is not None
    assert pattern.pattern == DEFAULT_FEEDBACK_ID.encode()
    assert isinstance(pattern, re.Pattern)
