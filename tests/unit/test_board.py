"""What workers that share a socket know of each other."""

from pathlib import Path

from gateway import board
from gateway.board import Board


def test_workers_see_the_fewest_sessions_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "board"
    board.make(path)
    first, second, third = (Board(path, index) for index in range(3))
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
    first, second = Board(path, 0), Board(path, 1)
    second.post(3)
    assert first.least() == 3
    assert path.stat().st_size == 256 * 16
