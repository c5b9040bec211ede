"""Following a file through its rotations, on a real file system."""

import os
from pathlib import Path

import pytest

from control.accounting.trail import CHUNK, Look, Position, behind, look

HEADER = "type,envId\r\n"


class Trail:
    """Looks at one path, keeping the position and what was found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = Position()
        self.seen: list[str] = []
        self.gaps: list[str] = []

    def step(self, most: int = 100) -> Look:
        found = look(self.path, self.at, most)
        self.at = found.at
        self.seen += [row[1] for row in found.rows if row[0] != "type"]
        self.gaps += [found.gap] * bool(found.gap)
        return found

    def to_end(self, most: int = 100) -> Look:
        for _ in range(200):
            found = self.step(most)
            if found.end or found.problem:
                return found
        raise AssertionError("it never comes to an end")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acct.csv"


def add(path: Path, *ids: str) -> None:
    start = "" if path.exists() else HEADER
    with path.open("a", newline="") as file:
        file.write(start + "".join(f"r,{text}\r\n" for text in ids))


def rotate(path: Path, number: int, day: str = "2026-03-01") -> Path:
    return path.rename(path.with_name(f"acct-{day}-{number:04}.csv"))


def test_the_first_look_begins_with_the_oldest_finished_file(path: Path) -> None:
    for number in (1, 2, 10):
        add(path, f"id{number}")
        rotate(path, number)
    (path.parent / "acct-2026-03-01-0003.csv.gz").write_text("no accounting file")
    (path.parent / "other-2026-03-01-0001.csv").write_text("type,envId\r\nr,other\r\n")
    add(path, "last")
    trail = Trail(path)
    trail.to_end()
    assert trail.seen == ["id1", "id2", "id10", "last"]
    assert (trail.gaps, behind(path, trail.at)) == ([], 0)


@pytest.mark.parametrize("most", [1, 100])
def test_several_rotations_between_two_looks_lose_nothing(path: Path, most: int) -> None:
    add(path, "a")
    trail = Trail(path)
    trail.to_end(most)
    add(path, "b", "c")
    rotate(path, 1)
    add(path, "d")
    os.utime(rotate(path, 2), ns=(0, 10))
    add(path, "e")
    # The calendar went back: by name this one would come first.
    os.utime(rotate(path, 1, "2026-02-01"), ns=(0, 20))
    assert behind(path, trail.at) == len("r,b\r\n") * 2 + 2 * len(HEADER + "r,d\r\n")
    trail.to_end(most)
    assert trail.seen == ["a", "b", "c", "d", "e"], "read before acct.csv is there again"
    add(path, "f")
    trail.to_end(most)
    assert (trail.seen[5:], trail.gaps) == (["f"], [])


def test_what_is_written_between_the_last_look_and_the_rotation_is_read(path: Path) -> None:
    add(path, "a")
    trail = Trail(path)
    assert trail.to_end().end
    add(path, "b")
    rotate(path, 1)
    trail.to_end()
    assert (trail.seen, trail.gaps) == (["a", "b"], [])


def test_a_partial_line_waits_for_its_end(path: Path) -> None:
    add(path)
    trail = Trail(path)
    for octet in b'r,"one\r\nrecord"\r\n':
        assert trail.to_end().end
        assert trail.seen == []
        with path.open("ab") as file:
            file.write(bytes([octet]))
    trail.to_end()
    assert (trail.seen, trail.gaps) == (["one\r\nrecord"], [])


def test_a_finished_file_without_its_last_line_break_is_a_gap(path: Path) -> None:
    add(path, "a")
    with path.open("a") as file:
        file.write("r,17935-mess")
    rotate(path, 1)
    add(path, "b")
    trail = Trail(path)
    trail.to_end()
    assert trail.seen == ["a", "b"], "half an id names another attempt"
    assert trail.gaps == ["acct-2026-03-01-0001.csv ends in the middle of a record"]


def test_a_quote_nobody_closes_costs_one_line(path: Path) -> None:
    add(path, "a")
    with path.open("a", newline="") as file:
        file.write('r,"cut\r\n')
    add(path, "b", "c")
    rotate(path, 1)
    trail = Trail(path)
    trail.to_end()
    assert (trail.seen, len(trail.gaps)) == (["a", "b", "c"], 1)


def test_a_quote_nobody_closes_does_not_hold_up_the_present_file_for_ever(path: Path) -> None:
    add(path, "a")
    with path.open("a", newline="") as file:
        file.write('r,"cut\r\n')
    lines = CHUNK // len("r,b\r\n") + 1
    add(path, *["b"] * lines)
    trail = Trail(path)
    trail.to_end(100_000)
    assert (trail.seen, len(trail.gaps)) == (["a", *["b"] * lines], 1)


def test_a_truncated_file_is_a_gap_and_read_anew(path: Path) -> None:
    add(path, "a", "b")
    trail = Trail(path)
    trail.to_end()
    path.write_text(HEADER + "r,c\r\n", newline="")
    trail.to_end()
    assert trail.seen == ["a", "b", "c"]
    assert "cut off" in trail.gaps[0]


def test_a_truncated_file_that_grew_again_is_a_gap(path: Path) -> None:
    add(path, "a", "b")
    trail = Trail(path)
    trail.to_end()
    path.write_text(HEADER + "r,c\r\nr,d\r\nr,e\r\n", newline="")
    trail.to_end()
    assert trail.seen == ["a", "b", "c", "d", "e"]
    assert len(trail.gaps) == 1, "its size does not tell, its content does"


def test_a_file_that_vanished_is_a_gap_and_nothing_is_read_twice(path: Path) -> None:
    add(path, "a")
    first = rotate(path, 1)
    add(path, "b")
    trail = Trail(path)
    trail.to_end()
    rotate(path, 2).unlink()
    add(path, "c")
    rotate(path, 3)
    add(path, "d")
    trail.to_end()
    assert trail.seen == ["a", "b", "c", "d"]
    assert len(trail.gaps) == 1
    first.unlink()
    rotate(path, 4)
    trail.to_end()
    assert (len(trail.gaps), len(trail.at.done)) == (1, 2), "what was read may be deleted"


def test_an_empty_folder_may_be_a_volume_that_is_not_there(path: Path) -> None:
    add(path, "a")
    trail = Trail(path)
    trail.to_end()
    away = path.rename(path.with_name("unmounted"))
    found = trail.to_end()
    assert "no accounting file is left" in found.problem
    assert not found.end, "nobody knows how far everything has been read"
    away.rename(path)
    add(path, "b")
    trail.to_end()
    assert (trail.seen, trail.gaps) == (["a", "b"], [])


def test_before_powermta_writes_nothing_is_known(path: Path) -> None:
    trail = Trail(path)
    assert "yet" in trail.to_end().problem
    with pytest.raises(FileNotFoundError):
        look(path.parent / "missing" / "acct.csv", Position(), 1)
