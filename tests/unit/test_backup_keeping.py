"""Backups of one second: the later one is the newer, whichever are gone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from control.backup.keeping import name_for, newest, superseded

NOW = datetime(2026, 11, 30, 15, 6, 12, 345, tzinfo=UTC)
SECOND = "sendgate-20261130T150612Z"


def made(folder: Path, now: datetime = NOW) -> Path:
    path = name_for(now, folder)
    path.touch(exist_ok=False)
    return path


def test_of_one_second_the_last_is_the_newest(tmp_path: Path) -> None:
    names = [made(tmp_path) for _ in range(12)]
    assert [path.name for path in names[:2]] == [f"{SECOND}.backup", f"{SECOND}-1.backup"]
    assert newest(tmp_path) == names[-1]
    assert superseded(tmp_path, names[-1], NOW, keep=2, days=None) == names[:-2]


def test_the_number_of_one_that_went_is_not_given_again(tmp_path: Path) -> None:
    for _ in range(5):
        last = made(tmp_path)
        for old in superseded(tmp_path, last, NOW, keep=1, days=None):
            old.unlink()
        assert newest(tmp_path) == last
    assert [path.name for path in tmp_path.iterdir()] == [f"{SECOND}-4.backup"]


def test_a_later_second_is_newer_than_any_number(tmp_path: Path) -> None:
    for _ in range(3):
        made(tmp_path)
    later = made(tmp_path, NOW + timedelta(seconds=1))
    assert later.name == "sendgate-20261130T150613Z.backup"
    assert newest(tmp_path) == later
