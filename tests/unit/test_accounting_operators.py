"""What operators do to PowerMTA's files: packed, moved, linked, copied and deleted ones."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from tests.support.control.acctfiles import HEADER, Files, Follow, Follower, line, pack


@pytest.mark.parametrize("end", ["delete", "move", "pack", "rename"])
def test_the_growing_file_is_read_to_its_end_wherever_it_goes(
    files: Files, follower: Follower, end: str
) -> None:
    files.add(1, "a")
    follower.to_end()
    path = files.add(1, "b")
    elsewhere = files.folder / "elsewhere"
    elsewhere.mkdir()
    if end == "delete":
        path.unlink()
    elif end == "move":
        path.rename(elsewhere / path.name)
    elif end == "pack":
        pack(path)
    else:
        path.rename(path.with_suffix(".old"))
    assert follower.to_end().end
    files.add(2, "c")
    follower.to_end()
    assert (follower.seen, follower.gaps) == (["a", "b", "c"], [])


def test_a_file_that_vanished_while_nobody_had_it_open_is_a_gap_once(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a")
    follower.to_end()
    files.add(1, "b").unlink()
    files.add(2, "c")
    follower.start_again()
    follower.to_end()
    assert follower.seen == ["a", "c"]
    offset = len(HEADER + line("a"))
    assert follower.gaps == [
        f"acct-2026-03-01-0001.csv vanished before it was read to its end (offset {offset})"
    ]
    follower.start_again()
    follower.to_end()
    assert len(follower.gaps) == 1
    files.write(1, line("a") + line("b"))
    follower.to_end()
    assert follower.met == ["a", "c", "b"], "it came back: the rest of it"


def test_finished_files_that_were_read_may_go(files: Files, follower: Follower) -> None:
    for number in (1, 2, 3):
        files.add(number, f"m{number}")
    follower.to_end()
    files.file(1).unlink()
    pack(files.file(2))
    follower.start_again()
    files.add(4, "m4")
    follower.to_end()
    assert (follower.met, follower.gaps) == (["m1", "m2", "m3", "m4"], [])


def test_finished_files_are_read_packed_and_where_they_were_moved(
    tmp_path: Path, follow: Follow
) -> None:
    moved = tmp_path / "done"
    moved.mkdir()
    files, elsewhere = Files(tmp_path), Files(moved)
    follower = follow(files.path, moved)
    elsewhere.add(1, "a")
    pack(elsewhere.add(2, "b"))
    pack(files.add(3, *[f"c{number}" for number in range(9_000)]))
    files.add(4, "d")
    follower.to_end(1_000)
    assert follower.met == ["a", "b", *[f"c{number}" for number in range(9_000)], "d"]
    assert follower.gaps == []
    # Unpacked, copied, packed again: known by their names.
    shutil.copy(moved / "acct-2026-03-01-0001.csv", tmp_path)
    (moved / "acct-2026-03-01-0002.csv").write_bytes(
        gzip.decompress((moved / "acct-2026-03-01-0002.csv.gz").read_bytes())
    )
    files.add(4, "e")
    follower.to_end()
    assert (follower.met[-2:], follower.gaps) == (["d", "e"], [])


def test_a_packed_file_is_read_on_after_a_restart(files: Files, follower: Follower) -> None:
    pack(files.add(1, *[f"m{number}" for number in range(500)]))
    files.add(2, "last")
    follower.step(200)
    follower.start_again()
    follower.to_end(200)
    assert follower.met == [*[f"m{number}" for number in range(500)], "last"]
    assert follower.gaps == []


def test_a_packed_file_that_is_not_whole_is_waited_for_and_then_a_gap(
    files: Files, follower: Follower
) -> None:
    packed = pack(files.add(1, *[f"m{number}" for number in range(500)]))
    whole = packed.read_bytes()
    packed.write_bytes(whole[: len(whole) // 2])
    files.add(2, "last")
    assert "is waited for" in follower.to_end().problem
    packed.write_bytes(whole[:-4])
    assert "is waited for" in follower.to_end().problem
    follower.seconds += 59
    assert follower.gaps == []
    follower.seconds += 2
    follower.to_end()
    assert follower.met[-1] == "last"
    [gap] = follower.gaps
    assert gap.startswith("acct-2026-03-01-0001.csv.gz cannot be unpacked behind offset")


def test_symbolic_links_are_followed_or_told(files: Files, follower: Follower) -> None:
    store = files.folder / "store"
    store.mkdir()
    real = files.add(1, "a").rename(store / "first")
    files.file(1).symlink_to(real)
    files.file(2).symlink_to(store / "nothing")
    files.add(3, "c")
    follower.to_end()
    assert follower.seen == ["a", "c"]
    assert follower.gaps == ["acct-2026-03-01-0002.csv is a symbolic link to nothing"]
    (store / "nothing").write_text(HEADER + line("b"), newline="")
    follower.to_end()
    assert follower.seen == ["a", "c", "b"]


def test_something_that_is_no_file_is_not_opened(files: Files, follower: Follower) -> None:
    files.add(1, "a")
    os.mkfifo(files.file(2))
    assert "not a file" in follower.to_end().problem
    files.add(3, "c")
    follower.to_end()
    assert (follower.seen, follower.gaps) == (
        ["a", "c"],
        ["acct-2026-03-01-0002.csv is not a file"],
    )


@pytest.mark.parametrize("more", ["", "behind"])
def test_a_file_written_anew_is_a_gap_and_repeats_count_once(
    files: Files, follower: Follower, more: str
) -> None:
    files.add(1, "a", "b")
    follower.to_end()
    text = line("b") + line("c") + (line("d") * 9 if more else "")
    files.file(1).write_text(HEADER + text, newline="")
    follower.to_end()
    assert follower.seen == ["a", "b", "c", *["d"] * (9 if more else 0)]
    assert "cut off or written anew" in follower.gaps[0]
    assert len(follower.gaps) == 1


def test_a_copy_that_is_put_in_place_is_read_on(files: Files, follower: Follower) -> None:
    files.add(1, "a")
    follower.to_end()
    copy = files.folder / ".acct-2026-03-01-0001.csv.Xy"
    shutil.copy(files.add(1, "b"), copy)
    copy.rename(files.file(1))
    follower.to_end()
    assert (follower.met, follower.gaps) == (["a", "b"], [])


def test_a_file_that_was_read_and_is_another_now_is_read_and_a_gap(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a")
    files.add(2, "b")
    follower.to_end()
    # PowerMTA begins at 1 again when an operator deleted the day's files.
    files.file(1).write_text(HEADER + line("z"), newline="")
    follower.to_end()
    assert follower.seen == ["a", "b", "z"]
    assert follower.gaps == ["acct-2026-03-01-0001.csv was written anew after it had been read"]
    files.add(1, "y")
    follower.to_end()
    assert follower.seen == ["a", "b", "z", "y"]
    assert "grew at offset" in follower.gaps[1]
    files.add(2, "c")
    follower.to_end()
    assert follower.met == ["a", "b", "z", "y", "c"]


def test_an_old_file_that_is_being_unpacked_is_not_another_one(
    files: Files, follower: Follower
) -> None:
    text = files.add(1, "a", "b").read_bytes()
    files.add(2, "c")
    follower.to_end()
    pack(files.file(1))
    for end in (0, 10, len(text) - 1, len(text)):
        files.file(1).write_bytes(text[:end])
        follower.to_end()
    assert (follower.met, follower.gaps) == (["a", "b", "c"], [])
    files.file(1).write_bytes(text[:-10])
    follower.to_end()
    follower.seconds += 61
    follower.to_end()
    assert "written anew" in follower.gaps[0], "nor is it what was read, if it stays so"


def test_a_file_that_appears_before_others_is_read_and_a_gap(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a", day="2026-03-02")
    follower.to_end()
    files.add(1, "late")
    files.add(1, "b", day="2026-03-02")
    follower.to_end()
    assert follower.met == ["a", "late", "b"]
    assert follower.gaps == [
        "acct-2026-03-01-0001.csv appeared after acct-2026-03-02-0001.csv had been begun"
    ]


def test_equal_receipts_of_one_file_are_several_and_its_copy_adds_none(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a", "a", "b")
    follower.step(1)
    follower.start_again()
    follower.to_end()
    shutil.copy(files.file(1), files.file(2))
    files.add(3, "c")
    follower.to_end()
    assert follower.seen == ["a", "a", "b", "c"]
    assert len(follower.met) == 7


def test_an_empty_file_behind_which_another_began_is_a_gap(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a")
    files.file(2).touch()
    assert follower.to_end().end
    files.add(3, "b")
    follower.to_end()
    assert follower.gaps == ["acct-2026-03-01-0002.csv is empty: not even its header line was kept"]


def test_columns_that_are_not_there_are_told(files: Files, follower: Follower) -> None:
    files.file(1).write_text("type,timeLogged,rcpt\r\n", newline="")
    assert "no vmta and envId columns" in follower.to_end().lack
    files.add(2, "a")
    assert follower.to_end().lack == ""


def test_an_empty_folder_may_be_a_volume_that_is_not_there(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a")
    follower.to_end()
    follower.start_again()
    away = files.file(1).rename(files.folder / "unmounted")
    found = follower.to_end()
    assert "no accounting file is left" in found.problem
    assert not found.end, "nobody knows how far everything has been read"
    away.rename(files.file(1))
    files.add(1, "b")
    follower.to_end()
    assert (follower.seen, follower.gaps) == (["a", "b"], [])
