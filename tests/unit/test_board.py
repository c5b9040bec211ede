"""What workers that share a socket know of each other."""

from pathlib import Path

from gateway.accept import board
from gateway.accept.board import Board


def test_workers_see_the_fewest_sessions_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "board"
    board.make(path)
    first, second, third = (Board(path, index, 3) for index in range(3))
    assert first.least() is None
    second.post(7)
    third.post(5)
    first.post(1)
    assert first.least() == 5
    assert third.least() == 1


def test_a_board_that_was_tidied_away_is_made_again(tmp_path: Path) -> None:
    """A run directory below /tmp is cleared of files that nobody has touched for days, and a mapped
    file is not touched: a worker that begins afterwards must find its place all the same."""
    path = tmp_path / "board"
    first, second = Board(path, 0, 2), Board(path, 1, 2)
    second.post(3)
    assert first.least() == 3
    assert path.stat().st_size == 256 * 16


def test_a_worker_that_takes_nothing_is_not_waited_for(tmp_path: Path) -> None:
    first, second = Board(tmp_path / "board", 0, 2), Board(tmp_path / "board", 1, 2)
    second.away = True
    second.post(0)
    assert first.least() is None
    second.away = False
    second.post(0)
    assert first.least() == 0
