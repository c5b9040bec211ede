"""What a control process does again and again, for as long as it lives.

Rule: nothing ends it but being cancelled. What fails is said when it begins to fail and when the
reason is another one, not at every look, and tried again after the same pause; an error nobody
expected is said with where it was met.
Whoever does it keeps its own state, so that a look that failed is simply made again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger

from redis.exceptions import RedisError

from control.store.refusal import UNREACHABLE

Look = Callable[[], Awaitable[object]]

Pause = Callable[[], Awaitable[float]]
"""Real seconds until the next look. Raises nothing."""


async def again(
    look: Look, pause: float | Pause, log: Logger, trouble: str, *, lost: Look | None = None
) -> None:
    """`look`, and after a pause again. `trouble`: what is amiss while it fails, such as "mail
    around the gateways is not charged"; `lost`: what to do when it did, for who remembers things
    of a database that may be another one now."""
    said = ""
    while True:
        try:
            await look()
            if said:
                log.info("over: %s", trouble)
            said = ""
        except Exception as error:
            if lost is not None:
                await lost()
            why = str(error) or type(error).__name__
            if why != said:
                known = isinstance(error, (RedisError, *UNREACHABLE))
                log.warning("%s: %s", trouble, why, exc_info=None if known else error)
            said = why
        await asyncio.sleep(pause if isinstance(pause, (int, float)) else await pause())
