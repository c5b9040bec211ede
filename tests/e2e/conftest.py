"""A folder for a whole stack, of which nothing outlives its test."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.control.up import Up


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Of `sendgate up`; whatever still names it at the end is killed."""
    where = tmp_path / "stack"
    yield where
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(where) in entry.read_bytes().decode():
                os.kill(int(entry.parent.name), signal.SIGKILL)
    while Up.begun:
        with Up.begun.pop().process:  # its end is asked for, and its output closed
            pass
