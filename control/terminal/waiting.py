"""Waiting in a command, which has nothing else to do meanwhile; Ctrl-C ends it."""

import threading


def pause(seconds: float) -> None:
    """Before asking again."""
    threading.Event().wait(seconds)
