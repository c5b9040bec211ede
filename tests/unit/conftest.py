"""Fixtures of unit tests that follow accounting files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control.acctfiles import Files, Follow, Follower


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Those of one stream, in an empty folder."""
    return Files(tmp_path)


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Begins to follow a stream; what is open is closed at the end."""
    followers: list[Follower] = []

    def begin(path: Path, moved: Path | None = None) -> Follower:
        followers.append(Follower(path, moved))
        return followers[-1]

    yield begin
    for follower in followers:
        follower.trail.close()


@pytest.fixture
def follower(files: Files, follow: Follow) -> Follower:
    """Of `files`."""
    return follow(files.path)
