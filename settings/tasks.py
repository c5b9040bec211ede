"""The end of what runs beside the main work of a process."""

import asyncio
from collections.abc import Iterable
from typing import Any

PATIENCE = 5.0
"""Seconds until a task that does not end is left alone."""
_AGAIN = 0.5


async def cancel(tasks: Iterable["asyncio.Task[Any]"], patience: float = PATIENCE) -> None:
    """End tasks, at most `patience` seconds. Asked again and again, for a library below may swallow
    a cancellation: redis-py turns one into a lost connection, asyncpg into the result that came in
    the same moment. A loop that goes on after an error would then run for ever, and whoever waits
    for it with it (met: a demo that had drained and never ended)."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    pending = set(tasks)
    while pending and loop.time() < deadline:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN)
