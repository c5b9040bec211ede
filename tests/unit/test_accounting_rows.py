"""Rows of an accounting file: RFC 4180, whole records only, whatever octets are in them."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.accounting.rows import rows_of

FIELD = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from('",\r\n é'), max_size=8)


def written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def test_quoted_fields_hold_commas_quotes_and_line_breaks() -> None:
    data = b'r,"a,b","say ""hi""","two\r\nlines"\r\nd,,\r\n'
    assert rows_of(data, 10).rows == [["r", "a,b", 'say "hi"', "two\r\nlines"], ["d", "", ""]]
    assert rows_of(data, 10).used == len(data)


def test_odd_octets_survive() -> None:
    [[_, text]] = rows_of(b"b,caf\xe9 \x00 \xc3\xa9\r\n", 1).rows
    assert text.encode("utf-8", "surrogateescape") == b"caf\xe9 \x00 \xc3\xa9"


def test_a_line_that_has_not_come_whole_waits() -> None:
    data = b'd,1\r\nr,"one\r\ntwo",3\r\n'
    for end in range(len(data)):
        found = rows_of(data[:end], 10)
        assert (found.rows, found.used) == (([["d", "1"]], 5) if end >= 5 else ([], 0)), end
    assert len(rows_of(data, 10).rows) == 2


def test_no_more_rows_are_consumed_than_asked_for() -> None:
    found = rows_of(b"a\r\nb\r\nc\r\n", 2)
    assert (found.rows, found.used) == ([["a"], ["b"]], 6)


@pytest.mark.parametrize("line", [b"r,a\rb\r\n", b"r," + b"x" * 140_000 + b"\r\n"])
def test_a_record_nobody_can_read_is_counted_and_costs_only_itself(line: bytes) -> None:
    found = rows_of(b"a\r\n" + line + b"c\r\n", 10)
    assert (found.rows, found.broken, found.used) == ([["a"], ["c"]], 1, len(line) + 6)


# A cut is drawn for every piece: slow on a busy machine, and not what is tested.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=6), st.data())
def test_fed_in_any_pieces_the_rows_are_those_written(
    rows: list[list[str]], data: st.DataObject
) -> None:
    content, start, found = written(rows), 0, []
    while start < len(content):
        end = data.draw(st.integers(start, len(content)))
        piece = rows_of(content[start:end], data.draw(st.integers(1, 3)))
        found += piece.rows
        start += piece.used
        if end == len(content) and not piece.used:
            break
    assert found == rows
    assert start == len(content)
