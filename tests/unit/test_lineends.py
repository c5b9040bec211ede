"""Line ends: every CR before an LF and every LF after a CR, in C and in Python alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relay import wire
from gateway.session.lineends import paired, paired_in_python

_ANY = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\0", b"\xe9"]), max_size=12)
_BEFORE = st.sampled_from([0, 1, 253, 254, 255, 256, 509, 510])
"""Octets in front: the C code adds up 255 at a time."""


def _counted(content: bytes) -> bool:
    return content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")


@given(_ANY, _BEFORE)
def test_they_are_judged_as_by_counting_them(pieces: list[bytes], before: int) -> None:
    content = b"x" * before + b"".join(pieces)
    assert paired(content) == _counted(content)
    assert paired_in_python(content) == _counted(content)


@pytest.mark.parametrize("octet", [b"\r", b"\n"])
def test_one_bare_octet_in_many_lines_is_seen(octet: bytes) -> None:
    lines = b"0123456789abcdef\r\n" * 100_000
    assert paired(lines)
    assert paired_in_python(lines)
    for at in (0, 17, 255, 1_048_575, 1_048_576, len(lines)):
        broken = lines[:at] + octet + lines[at:]
        assert paired(broken) == paired_in_python(broken) == _counted(broken)
        assert not paired(lines[:at] + octet + b"x" + lines[at:])


def test_only_octets_are_looked_at() -> None:
    with pytest.raises((TypeError, AttributeError)):
        paired("text")  # type: ignore[arg-type]


def test_what_is_compiled_has_it_in_c() -> None:
    """It would only be slower without: nothing else would tell."""
    assert (paired is not paired_in_python) == wire.__file__.endswith(".so")
