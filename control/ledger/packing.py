"""Lets the ledger pack its duplicate entries once no process of an older version is about.

Rules: a process of a version before knows no packed entry, so there is none while one runs, or
went without a word within the hour, and none within an hour of the last one's end: who goes back
to the version before within it finds all entries (policy/README.md: duplicates).
"""

import logging
from collections.abc import Callable

from policy.ledger.admin import LedgerAdmin
from policy.ledger.packing import all_pack, pack, packs

log = logging.getLogger(__name__)

SURE = 3_600.0
"""Real seconds for which control has seen none of an older version, before entries are packed."""


class Packing:
    """One control node's."""

    def __init__(self, admin: LedgerAdmin, clock: Callable[[], float]) -> None:
        """`clock`: real elapsed seconds."""
        self._admin = admin
        self._clock = clock
        self._since: float | None = None

    async def look(self, state: str) -> None:
        """Every few seconds. `state` of the ledger's row; '' before the first opening, when there
        is no version to go back to. While it is rebuilt those who are there tell, and nobody waits
        an hour: all that was sent within a week is about to be written. Raises redis-py's errors.
        """
        known = await all_pack(self._admin)
        if known is None and state == "":
            known = True
        if known is False:
            self._since = None
        elif known and self._since is None:
            self._since = self._clock()
        waits = known and state == "open" and self._clock() - (self._since or 0.0) < SURE
        if known is None or waits or await packs(self._admin) == known:
            return
        await pack(self._admin, known)
        log.info(
            "ledger %s: duplicate entries are %s",
            *(self._admin.name, "packed" if known else "strings, for an older gateway is about"),
        )
