"""What clients say in xtext, as a report or a log may show it."""

import pytest

from gateway.message.xtext import spoken


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"QQ314159", "QQ314159"),
        (b"a+2Bb+3Dc", "a+b=c"),
        (b"j+C3+BC@x.test", "j+C3+BC@x.test"),
        (b"a+0D+0ABcc:+20x", "a+0D+0ABcc:+20x"),
        (b"+00", "+00"),
        (b"+7F", "+7F"),
        (b"+20", " "),
        ("é@x.test".encode(), "é@x.test"),
    ],
)
def test_one_line_of_ascii_is_decoded_and_nothing_else(value: bytes, said: str) -> None:
    assert spoken(value) == said
