"""A part that does not answer in time is told in words: such an error has none of its own."""

import pytest

from control.problem import said
from control.store.refusal import no_database, refusal

SILENT = [TimeoutError(), ConnectionResetError()]


@pytest.mark.parametrize("error", SILENT, ids=repr)
def test_an_error_without_a_word_is_told_as_silence(error: OSError) -> None:
    assert said(error) == "no answer in time"
    told = no_database("postgresql://sendgate:secret@db1/sendgate", error)
    assert "does not answer (no answer in time): start it" in str(told)


def test_what_an_error_says_is_said() -> None:
    assert said(OSError(111, "Connection refused")) == "[Errno 111] Connection refused"


def test_what_is_no_error_of_the_database_is_none_of_its_refusals() -> None:
    assert refusal(ValueError("x")) is None
