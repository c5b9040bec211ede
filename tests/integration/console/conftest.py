"""A control plane, a client of its API, and people at its console."""

from tests.support.control.fixtures import api, command, core, sendgate

__all__ = ["api", "command", "core", "sendgate"]
