"""A control plane and a client of its API."""

from collections.abc import Iterator

import pytest

from tests.support.control.fixtures import api, command, core, sendgate, working
from tests.support.control.matrix import Matrix

__all__ = ["api", "command", "core", "sendgate", "working"]


@pytest.fixture(scope="session")
def matrix() -> Iterator[Matrix]:
    """Printed behind the last of its tests: `make isolation` shows it."""
    counted = Matrix()
    yield counted
    print(f"\n{counted.table()}")
