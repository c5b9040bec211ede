"""The command as a process of its own, from the checkout under test."""

import sys

SENDGATE = (sys.executable, "-c", "from control.cli.main import main; main()")
