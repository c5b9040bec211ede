"""Numbers of things in sentences."""

import pytest

from policy.number import agree, count


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "message", "0 messages"),
        (1, "message", "1 message"),
        (2, "posted batch", "2 posted batches"),
        (2, "mailbox", "2 mailboxes"),
        (1, "mailbox", "1 mailbox"),
        (2, "process", "2 processes"),
        (2, "day", "2 days"),
        (2, "entry", "2 entries"),
        (3, "IP", "3 IPs"),
    ],
)
def test_a_noun_goes_with_its_number(number: int, noun: str, said: str) -> None:
    assert count(number, noun) == said


def test_so_does_a_verb() -> None:
    assert [agree(n, "is", "are") for n in (0, 1, 2)] == ["are", "is", "are"]
