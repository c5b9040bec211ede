"""The guard's loop: what bounces, complaints or a block by a provider came of is looked at within
seconds. Steps are the calendar's (`control.timetable`).

Failure: said once, and tried again; the plan in force stays, and what came is still there.
"""

import asyncio
import logging
from typing import Protocol

log = logging.getLogger(__name__)

EVERY = 5.0
"""Real seconds between two looks; the promise is a minute."""


class Looks(Protocol):
    """What is called."""

    async def look(self, *, turn: bool) -> int:
        """See `Engine.look`."""


async def watch(engine: Looks) -> None:
    """Until cancelled."""
    said = False
    while True:
        try:
            await engine.look(turn=False)
            said = False
        except Exception as error:  # noqa: BLE001 - said once, and tried again
            if not said:
                log.warning("warm-up does not look at what came: %s", error)
            said = True
        await asyncio.sleep(EVERY)
