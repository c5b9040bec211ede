"""Records of an accounting file: RFC 4180, whole ones only, and cuts that look like records."""

import csv
import io
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from control.accounting.columns import Columns
from control.accounting.records import TYPES, Record, Split, split

NAMES = ("type", "timeLogged", "rcpt", "dsnDiag", "vmta", "envId")
COLUMNS = Columns(NAMES)
LOGGED = "2026-03-01 00:00:01+0000"
GOOD = f"r,{LOGGED},a@x.example,,v1,e1\r\n"
BOUNCE = f'b,{LOGGED},b@x.example,"550, no",v1,e2\r\n'
FIELD = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('",\r\n é'), max_size=8
)


def written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def fields(found: Split) -> list[list[str]]:
    return [row.fields for piece in found.pieces for row in piece.records]


def read(text: str, *, last: bool = False, columns: Columns = COLUMNS) -> Split:
    return split(text.encode(), 100, columns, last=last)


def test_quoted_fields_hold_commas_quotes_and_line_breaks() -> None:
    text = f'r,{LOGGED},"a,b","say ""hi""","two\r\nlines"\r\nd,{LOGGED}\r\n'
    found = read(text, columns=Columns(NAMES[:5]))
    assert fields(found) == [["r", LOGGED, "a,b", 'say "hi"', "two\r\nlines"], ["d", LOGGED]]
    assert (found.used, found.cuts) == (len(text), [])


def test_odd_octets_survive() -> None:
    found = split(f"b,{LOGGED},caf".encode() + b"\xe9 \xc3\xa9\r\n", 1, COLUMNS)
    [[_, _, text]] = fields(found)
    assert text.encode("utf-8", "surrogateescape") == b"caf\xe9 \xc3\xa9"


def test_a_line_that_has_not_come_whole_waits() -> None:
    data = (GOOD + f'r,{LOGGED},"one\r\ntwo",,v,e\r\n').encode()
    for end in range(len(data)):
        found = split(data[:end], 10, COLUMNS)
        rows = 1 if end >= len(GOOD) else 0
        assert (found.records, found.used, found.cuts) == (rows, rows * len(GOOD), []), end
    assert split(data, 10, COLUMNS).records == 2


def test_no_more_rows_are_taken_than_asked_for() -> None:
    found = split((GOOD * 3).encode(), 2, COLUMNS)
    assert (found.records, found.used) == (2, 2 * len(GOOD))


def test_the_first_line_names_the_columns_and_so_may_another() -> None:
    found = split("\ufefftype,envId\r\nr,e\r\ntype,vmta,envId\r\nr,v,f\r\n".encode(), 10, None)
    assert [piece.columns.names for piece in found.pieces] == [
        ("type", "envId"),
        ("type", "vmta", "envId"),
    ]
    assert found.columns is found.pieces[1].columns
    [cut] = split(GOOD.encode(), 10, None).cuts
    assert cut[:2] == (0, "it does not begin with a header line")


@pytest.mark.parametrize("behind", [GOOD, BOUNCE])
@pytest.mark.parametrize("record", [GOOD, BOUNCE, GOOD.replace("r,", "tq,", 1)])
def test_wherever_a_record_is_cut_it_is_told_and_reading_goes_on(record: str, behind: str) -> None:
    for end in range(1, len(record) - 2):
        found = read(GOOD + record[:end] + behind + GOOD + BOUNCE)
        assert [cut.offset for cut in found.cuts] == [len(GOOD)], record[:end]
        kinds = [row[0] for row in fields(found)]
        # What stands behind the cut in its line may be lost with it; it is told.
        assert kinds[0] == "r", record[:end]
        assert kinds[-2:] == ["r", "b"], record[:end]
        assert len(kinds) in (3, 4), record[:end]


def test_short_rows_do_not_hide_that_two_stand_in_one_line() -> None:
    columns = Columns((*NAMES, *(f"header_{n}" for n in range(20))))
    short = f"t,{LOGGED},a@x.example,no,v1,e1\r\n"
    for end in range(1, len(short) - 2):
        found = read(short + short[:end] + GOOD + short, columns=columns)
        assert [cut.offset for cut in found.cuts] == [len(short)], short[:end]
        assert len(fields(found)) == 2


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (f"r,{LOGGED},a@x.example\r\n", "too short"),
        ("r,yesterday,a,,v,e\r\n", "time"),
        (f"r,{LOGGED},a\0,,v,e\r\n", "NUL"),
        (f"\0\0r,{LOGGED},a,,v,e\r\n", "type"),
        (f"r,{LOGGED},a,,v,e,more\r\n", "more fields"),
        (f"rb,{LOGGED},a,,v1,e\r\n", "first letter"),
        (f'r,{LOGGED},"a"b,,v,e\r\n', "quotes"),
        (f'r,{LOGGED},a"b,,v,e\r\n', "quotes"),
    ],
)
def test_what_is_no_record_is_told_and_costs_only_itself(record: str, why: str) -> None:
    found = read(GOOD + record + BOUNCE)
    assert [row[0] for row in fields(found)] == ["r", "b"]
    [cut] = found.cuts
    assert cut.offset == len(GOOD)
    assert why in cut.why


def test_a_record_inside_quotes_is_believed_to_be_one() -> None:
    """Either a crash cut the first, or somebody's text is made to look like a record: a gap."""
    found = read(f'b,{LOGGED},a,"550\r\n{GOOD}no",v1,e\r\n' + BOUNCE)
    assert [row[0] for row in fields(found)] == ["r", "b"]
    assert found.cuts


@pytest.mark.parametrize("kind", [*TYPES, "x", "abc"])
def test_known_types_are_read_and_unknown_ones_are_no_loss(kind: str) -> None:
    record = f"{kind},{LOGGED},a@x.example,,{'' if kind in ('rb', 'rs') else 'v1'},e\r\n"
    found = read(record)
    assert ([row[0] for row in fields(found)], found.cuts) == ([kind], [])


def test_nothing_follows_the_end_of_a_finished_file() -> None:
    assert read(GOOD + "r,2026").used == len(GOOD)
    found = read(GOOD + "r,2026", last=True)
    assert (found.used, [cut.offset for cut in found.cuts]) == (len(GOOD) + 6, [len(GOOD)])


def record_rows(rows: list[list[str]]) -> list[list[str]]:
    return [["d", LOGGED, *row] for row in rows]


# A draw of Hypothesis for each piece would cost fifty times what is tested.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=6), st.randoms(use_true_random=True)
)
def test_fed_in_any_pieces_the_rows_are_those_written(
    several: list[list[str]], chance: Random
) -> None:
    rows = record_rows(several)
    content, start, found = written(rows), 0, list[list[str]]()
    while start < len(content):
        end = chance.randint(start, len(content))
        piece = split(content[start:end], chance.randint(1, 3), COLUMNS)
        assert piece.cuts == []
        found += fields(piece)
        start += piece.used
        if end == len(content) and not piece.used:
            break
    assert found == rows
    assert start == len(content)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(FIELD, min_size=2, max_size=4), min_size=3, max_size=6),
    st.data(),
)
def test_a_cut_anywhere_is_told_and_no_row_is_invented(
    several: list[list[str]], data: st.DataObject
) -> None:
    """A record that is cut, with the others written behind it: what is read was written."""
    rows = [[*row, *[""] * (6 - len(row))] for row in record_rows(several)]
    victim = data.draw(st.integers(0, len(rows) - 2))
    record = written([rows[victim]])
    cut = data.draw(st.integers(1, len(record) - 3))
    behind = written(rows[victim + 1 :])
    # In an open quote, a record whose own first quote ends its line makes one sound record of the
    # two: nothing tells it from a diagnosis that quotes a record.
    opened = record[:cut].count(b'"') % 2 == 1
    first = behind.partition(b"\n")[0].rstrip(b"\r")
    assume(not (opened and first.endswith(b'"') and first.count(b'"') == 1))
    content = written(rows[:victim]) + record[:cut] + behind
    found = split(content, 100, COLUMNS, last=True)
    assert found.cuts
    kept = [row for row in fields(found) if row in rows]
    assert fields(found) == kept
    assert fields(found)[:victim] == rows[:victim]
    assert found.used == len(content)


def test_the_octets_of_a_record_are_kept_for_its_identity() -> None:
    [piece] = read(GOOD + BOUNCE).pieces
    assert piece.records[1] == Record(
        ["b", LOGGED, "b@x.example", "550, no", "v1", "e2"], BOUNCE.rstrip().encode()
    )
