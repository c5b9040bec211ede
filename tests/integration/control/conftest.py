"""A control plane and a client of its API."""

from tests.support.control.fixtures import api, core

__all__ = ["api", "core"]
