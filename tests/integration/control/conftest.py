"""A control plane and a client of its API."""

from tests.support.control.fixtures import api, command, core, sendgate, working

__all__ = ["api", "command", "core", "sendgate", "working"]
