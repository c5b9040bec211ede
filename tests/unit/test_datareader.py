"""The DATA reader: every case whole, byte by byte, and with data behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.datareader import DataReader

STEPS = [1, 2, 3, 5, 10_000]
TRAILING = [b"", b"QUIT\r\n", b".\r\n", b"\r\n.\r\n"]


def read(
    data: bytes, step: int, *, size: int = 10_000, line: int = 1000
) -> tuple[DataReader, bytes]:
    reader = DataReader(size, line)
    for start in range(0, len(data), step):
        rest = reader.feed(data[start : start + step])
        if rest is not None:
            return reader, rest + data[start + step :]
    raise AssertionError("the end was not found")


@pytest.mark.parametrize("trailing", TRAILING)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"a\r\n",
        b"Subject: x\r\n\r\nbody\r\n",
        b"..dot\r\n...\r\n",
        b"a\r\n.b\r\n",
        b"\r\n\r\n\r\n",
        "é\r\nمرحبا\r\n".encode(),
    ],
)
def test_content_is_kept_as_it_came(content: bytes, step: int, trailing: bytes) -> None:
    reader, rest = read(content + b".\r\n" + trailing, step)
    assert reader.content() == content
    assert rest == trailing
    assert reader.problem() is None


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "false_end",
    [
        b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n\n.\r\n",
        b"\r\r\n.\r\r\n", b"x\0y\r\n", b"\r\n.\0\r\n", b"a\rb\r\n", b"a\nb\r\n",
    ],
)  # fmt: skip
def test_a_false_end_of_data_is_content_and_refuses_the_message(
    false_end: bytes, step: int
) -> None:
    data = b"before" + false_end + b"MAIL FROM:<evil@x.test>\r\nend\r\n.\r\n"
    reader, rest = read(data, step)
    assert rest == b""
    problem = reader.problem()
    assert problem is not None
    assert problem.code == 554


@pytest.mark.parametrize("step", STEPS)
def test_a_long_line_is_refused_at_its_limit(step: int) -> None:
    fits = b"x" * 98 + b"\r\n"
    assert read(fits * 3 + b".\r\n", step, line=100)[0].problem() is None
    reader, _ = read(fits + b"x" + fits + b".\r\n", step, line=100)
    assert reader.problem() is not None
    assert "a line over 100 octets" in str(reader.problem())


@pytest.mark.parametrize("step", STEPS)
def test_a_message_too_big_is_read_to_its_end_without_being_kept(step: int) -> None:
    exact = b"x" * 48 + b"\r\n"
    assert read(exact + b".\r\n", step, size=50)[0].problem() is None
    reader, rest = read(b"y" + exact + b".\r\nQUIT\r\n", step, size=50)
    assert (reader.problem() or reader.refusal) is not None
    assert "552 5.3.4" in str(reader.refusal or reader.problem())
    assert rest == b"QUIT\r\n"
    huge, rest = read(exact * 1000 + b".\r\nQUIT\r\n", 100, size=50)
    assert huge.dropping
    assert huge._blocks == []
    assert rest == b"QUIT\r\n"


@given(
    lines=st.lists(st.binary(max_size=30).filter(lambda b: not set(b) & {0, 10, 13}), max_size=20),
    cuts=st.lists(st.integers(1, 7), min_size=1, max_size=50),
    trailing=st.binary(max_size=20),
)
def test_any_slices_give_the_same_content(
    lines: list[bytes], cuts: list[int], trailing: bytes
) -> None:
    content = b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in lines)
    data = content + b".\r\n" + trailing
    reader = DataReader(10_000, 1000)
    position, turn = 0, 0
    while True:
        width = cuts[turn % len(cuts)]
        rest = reader.feed(data[position : position + width])
        position += width
        turn += 1
        if rest is not None:
            break
    assert reader.content() == content
    assert rest + data[position:] == trailing


@given(st.binary(max_size=400))
def test_any_bytes_end_only_at_crlf_dot_crlf(data: bytes) -> None:
    reader = DataReader(1000, 100)
    rest = reader.feed(data)
    end = (b"\r\n" + data).find(b"\r\n.\r\n")
    assert (rest is None) == (end < 0)
    if rest is not None:
        assert rest == data[end + 3 :]
