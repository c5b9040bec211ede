"""Following PowerMTA's files on a real file system: each record once, each gap told."""

import os
from pathlib import Path

import pytest

from control.accounting.records import LONGEST
from control.accounting.trail import behind
from tests.support.control.acctfiles import HEADER, Files, Follow, Follower, line


def test_the_growing_file_is_read_on_from_where_it_was(files: Files, follower: Follower) -> None:
    for number in range(100):
        files.add(1, f"m{number}")
        assert follower.to_end().at.file == "acct-2026-03-01-0001.csv"
    assert follower.met == [f"m{number}" for number in range(100)]
    assert (follower.gaps, behind(follower.folder, follower.stored.values())) == ([], 0)


@pytest.mark.parametrize("most", [1, 2, 100])
def test_files_are_read_in_the_order_of_their_numbers(
    files: Files, follower: Follower, most: int
) -> None:
    for number in (1, 2, 3):
        os.utime(files.add(number, f"a{number}", f"b{number}"), ns=(0, 100 - number))
    assert behind(follower.folder, []) == 3 * len(HEADER + line("a1") * 2)
    follower.to_end(most)
    assert follower.met == ["a1", "b1", "a2", "b2", "a3", "b3"]
    files.add(3, "c3")
    follower.to_end(most)
    files.add(4, "a4")
    files.add(1, "a5", day="2026-03-02")
    follower.to_end(most)
    assert follower.met[6:] == ["c3", "a4", "a5"]
    assert follower.gaps == []


def test_names_that_only_look_alike_are_somebody_elses(files: Files, follower: Follower) -> None:
    files.add(1, "mine")
    for name in (
        *("acct.csv", "acct-2026-03-01-0002.csv.tmp", "acct-2026-03-01-0002.csv~"),
        *(".acct-2026-03-01-0002.csv", "acct-2026-03-01-0002.csv.part", "acct-2026-03-01-2.csv"),
        *("acct-2026-02-30-0001.csv", "acct-2026-03-01-00002.csv", "xacct-2026-03-01-0002.csv"),
        *("acct-2-2026-03-01-0002.csv", "acct-2026-03-01-0002-2026-03-01-0001.csv"),
        *("acct-2026-03-01-0002.csv.gz.tmp", "acct-2026-03-01-0002.CSV", "acct-2026-03-01-0002"),
    ):
        (files.folder / name).write_text(HEADER + line("other"))
    follower.to_end()
    assert (follower.seen, follower.gaps) == (["mine"], [])


def test_digits_in_the_name_are_the_names(tmp_path: Path, follow: Follow) -> None:
    follower = follow(tmp_path / "pmta2-2026-03-01.v5.csv")
    (tmp_path / "pmta2-2026-03-01.v5-2026-03-01-0001.csv").write_text(HEADER + line("mine"))
    (tmp_path / "pmta2-2026-03-01-0002.csv").write_text(HEADER + line("other"))
    follower.to_end()
    assert (follower.seen, follower.gaps) == (["mine"], [])


def test_a_record_that_is_half_written_is_waited_for(files: Files, follower: Follower) -> None:
    text = line("whole", rcpt='"""a,\r\nb""@x.example"')
    files.write(1, "")
    for octet in text:
        assert follower.to_end().end
        assert follower.seen == []
        files.write(1, octet)
    follower.to_end()
    assert (follower.seen, follower.gaps) == (["whole"], [])


def test_a_file_that_ends_in_a_record_is_a_gap_once_a_later_one_exists(
    files: Files, follower: Follower
) -> None:
    files.write(1, line("a") + "r,2026-03-01 00:00:01+0000,a@x.example,v1,20000-mess")
    follower.to_end()
    assert follower.gaps == []
    files.add(2, "b")
    follower.to_end()
    assert follower.seen == ["a", "b"], "half an id names another attempt"
    [gap] = follower.gaps
    assert gap == (
        f"acct-2026-03-01-0001.csv at offset {len(HEADER + line('a'))}: "
        "it ends in the middle of a record"
    )


@pytest.mark.parametrize("cut", ['r,2026-03-01 00:00:01+0000,"a, b', "r", "r,", 'r,2026-03-01 0"'])
def test_what_is_written_behind_a_cut_record_is_read_from_the_next_record_on(
    files: Files, follower: Follower, cut: str
) -> None:
    files.write(1, line("a") + cut + line("swallowed") + line("b") + line("c", "d"))
    follower.to_end()
    assert [message for message, _ in follower.kinds] == ["a", "b", "c"]
    assert f"at offset {len(HEADER + line('a'))}" in follower.gaps[0]
    assert len(follower.gaps) == 1


def test_a_quote_nobody_closes_does_not_hold_up_the_file_for_ever(
    files: Files, follower: Follower
) -> None:
    files.write(1, line("a") + 'r,"cut' + "x\r\n" * (LONGEST // 3 + 10))
    follower.to_end()
    files.add(1, "b")
    follower.to_end()
    assert follower.seen == ["a", "b"]
    assert "never closed" in follower.gaps[0]


def test_a_number_that_is_missing_is_a_gap(files: Files, follower: Follower) -> None:
    files.add(1, "a")
    files.add(3, "c")
    files.add(7, "g")
    follower.to_end()
    assert follower.seen == ["a", "c", "g"]
    assert follower.gaps == [
        "acct-2026-03-01-0002.csv is missing",
        "acct-2026-03-01-0004.csv to acct-2026-03-01-0006.csv is missing",
    ]


def test_a_day_that_does_not_begin_with_its_first_file_is_a_gap(
    files: Files, follower: Follower
) -> None:
    follower.to_end()
    files.add(5, "a")
    follower.to_end()
    assert follower.gaps == [], "a stream begins somewhere"
    files.add(2, "b", day="2026-03-02")
    follower.to_end()
    assert follower.gaps == ["acct-2026-03-02-0001.csv is missing"]


def test_days_may_begin_with_0000_and_then_all_do(files: Files, follower: Follower) -> None:
    files.add(0, "a")
    files.add(1, "b")
    files.add(0, "c", day="2026-03-02")
    follower.to_end()
    assert (follower.seen, follower.gaps) == (["a", "b", "c"], [])
    files.add(0, "c", day="2026-03-02")
    follower.to_end()
    files.add(1, "d", day="2026-03-03")
    follower.to_end()
    assert follower.gaps == ["acct-2026-03-03-0000.csv is missing"]


@pytest.mark.parametrize("seen", ["begin", "grow"])
def test_a_day_without_a_file_is_proved_by_having_watched(
    files: Files, follower: Follower, seen: str
) -> None:
    if seen == "begin":
        follower.to_end()
    files.add(1, "a")
    follower.to_end()
    if seen == "grow":
        files.add(1, "b")
    for _ in range(5):
        follower.to_end()
        follower.seconds += 30
    files.add(1, "c", day="2026-03-05")
    follower.to_end()
    assert (follower.seen[-1], follower.gaps) == ("c", [])


def test_behind_a_file_that_was_never_seen_written_another_may_have_gone(
    files: Files, follower: Follower
) -> None:
    """Of three files two were taken away before the first look: which was the last nobody saw."""
    files.add(1, "a")
    follower.to_end()
    files.add(1, "c", day="2026-03-03")
    follower.to_end()
    assert len(follower.gaps) == 1


def test_a_day_without_a_file_that_nobody_watched_is_a_gap(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a")
    follower.to_end()
    follower.seconds += 61
    files.add(1, "b", day="2026-03-05")
    follower.to_end()
    assert follower.gaps == [
        (
            "acct-2026-03-01-0001.csv may not be the last before acct-2026-03-05-0001.csv: "
            "nobody watched, and there is no file of 2026-03-02 to 2026-03-04"
        )
    ]


def test_the_last_file_of_a_day_may_have_gone_while_nobody_watched(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a")
    follower.to_end()
    follower.seconds += 3_600
    # acct-2026-03-01-0002.csv was written and deleted.
    files.add(1, "c", day="2026-03-02")
    follower.start_again()
    follower.to_end()
    assert follower.seen == ["a", "c"]
    [gap] = follower.gaps
    assert gap.startswith("acct-2026-03-01-0001.csv may not be the last before")


def test_a_restart_within_a_minute_has_watched(files: Files, follower: Follower) -> None:
    follower.to_end()
    files.add(1, "a")
    follower.to_end()
    follower.seconds += 30
    files.add(1, "b", day="2026-03-02")
    follower.start_again()
    follower.to_end()
    assert follower.gaps == []


def test_a_restart_with_files_unread_has_not_watched_what_it_did_not_see_begin(
    files: Files, follower: Follower
) -> None:
    files.add(1, "a")
    follower.to_end()
    follower.seconds += 3_600
    files.add(1, "b", day="2026-03-02")
    files.add(1, "c", day="2026-03-03")
    follower.start_again()
    follower.step(1)
    follower.seconds += 5
    follower.start_again()
    follower.to_end()
    assert len(follower.gaps) == 2


def test_the_first_reading_begins_anew_with_each_day_and_tells_days_that_are_missing(
    files: Files, follower: Follower, follow: Follow
) -> None:
    files.add(1, "a")
    files.add(1, "b", day="2026-03-02")
    files.add(1, "c", day="2026-03-03")
    follower.to_end()
    assert (follower.begins, follower.gaps) == (3, [])
    other = follow(files.path)
    files.file(1, "2026-03-02").unlink()
    other.to_end()
    assert other.gaps == [
        (
            "acct-2026-03-01-0001.csv may not be the last before acct-2026-03-03-0001.csv: "
            "nobody watched, and there is no file of 2026-03-02"
        )
    ]


def test_before_powermta_writes_nothing_is_known(
    files: Files, follower: Follower, follow: Follow
) -> None:
    assert "acct-YYYY-MM-DD-NNNN.csv yet" in follower.to_end().problem
    files.path.write_text(HEADER)
    assert "is not PowerMTA's" in follower.to_end().problem
    with pytest.raises(FileNotFoundError):
        follow(files.folder / "missing" / "acct.csv").step()


@pytest.mark.parametrize(("batch", "most"), [(800, 3), (50, 25)])
def test_many_finished_files_are_listed_a_few_times(
    files: Files, follower: Follower, monkeypatch: pytest.MonkeyPatch, batch: int, most: int
) -> None:
    for number in range(1, 1_201):
        files.add(number, f"m{number}")
    listed, list_files = [0], follower.folder.list

    def counted() -> object:
        listed[0] += 1
        return list_files()

    monkeypatch.setattr(follower.folder, "list", counted)
    looks = 0
    while not follower.step(batch).end:
        looks += 1
    assert (len(follower.met), follower.gaps) == (1_200, [])
    assert looks <= most, "many small files are one look, and one transaction"
    assert listed[0] <= 3
