"""Breaks the gateway on purpose: Python imports this file in every process started with its folder
on PYTHONPATH. Product code knows nothing of it.

Only workers and releasers are broken: importing the gateway's metrics in their parent, before it
has chosen where they are kept, would break more than is meant.
"""

import os
import sys

_BROKEN = {"--worker", "--releaser"}

if os.environ.get("FAULT_BREAKAGE") and _BROKEN & set(sys.orig_argv):
    from tests.faults.breakage import breakages

    getattr(breakages, os.environ["FAULT_BREAKAGE"])()
