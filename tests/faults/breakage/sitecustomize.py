"""Breaks the gateway or control on purpose: Python imports this file in every process started with
its folder on PYTHONPATH. Product code knows nothing of it.

Of the gateway only workers and releasers are broken: importing the gateway's metrics in their
parent, before it has chosen where they are kept, would break more than is meant.
"""

import os
import sys

_BROKEN = {"--worker", "--releaser"}

_CONTROL = {"overlook_missing_files", "take_every_server_for_known"}
"""These break control."""

_name = os.environ.get("PYTHON_BREAKAGE", "")
if _name and ({"control"} if _name in _CONTROL else _BROKEN) & set(sys.orig_argv):
    from tests.faults.breakage import breakages

    getattr(breakages, _name)()
