"""Watching an address being taken out of accounting records."""

import math
import time

from control.accounting.forgetting import ForgettingView
from control.problem import RefusedError
from control.terminal.client import Client
from control.terminal.show import say

LOOK = 5
"""Seconds one question for news stays open."""


def watched(client: Client, number: int, timeout: float, *, quiet: bool) -> None:
    """Until it is over. Raises RefusedError when it takes longer than `timeout` seconds."""
    ends, seen = time.monotonic() + timeout, 0
    while True:
        left = ends - time.monotonic()
        found = client.get(
            f"/api/v2/accounting/forgetting/{number}",
            ForgettingView,
            wait=str(max(0, min(LOOK, math.ceil(left)))),
            seen=str(seen),
        )
        if found.step == "done":
            break
        if left <= 0:
            raise RefusedError(
                f"accounting records are being looked through still ({_so_far(found)}); it goes on "
                "by itself while control runs (`sendgate accounting forgetting`)"
            )
        if not quiet and found.looked != seen:
            say(f"accounting: {_so_far(found)}")
        seen = found.looked
    if found.unread:
        raise RefusedError(
            f"{found.unread} pieces of accounting are damaged and could not be looked into: see "
            "the log of control"
        )
    if not quiet:
        say(f"accounting: taken out of {found.changed} of {found.looked} pieces")


def _so_far(found: ForgettingView) -> str:
    return f"{found.looked} of {found.pieces} pieces looked through, {found.step}"
