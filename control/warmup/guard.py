"""The guard's loop: what bounces, complaints or a block by a provider came of is looked at within
seconds. Steps are the calendar's (`control.timetable`).

Failure: said once, and tried again; the plan in force stays, and what came is still there.
"""

import logging
from functools import partial
from typing import Protocol

from control.again import again

log = logging.getLogger(__name__)

EVERY = 5.0
"""Real seconds between two looks; the promise is a minute."""


class Looks(Protocol):
    """What is called."""

    async def look(self, *, turn: bool) -> int:
        """See `Engine.look`."""


async def watch(engine: Looks) -> None:
    """Until cancelled."""
    look = partial(engine.look, turn=False)
    await again(look, EVERY, log, "warm-up does not look at what came")
