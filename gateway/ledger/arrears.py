"""Changes of duplicate entries that the ledger has not taken yet: it was away.

Rule: none is lost. Of one message's changes of one entry only the last one tells anything, so they
are put together; how much is too much is said by `share`, and it is new mail that is turned away
then, never a change (a "held" that is forgotten lets a copy of a held message go).
"""

from collections.abc import Iterable

import msgspec

from gateway.watch import metrics
from policy.ledger_port import Change, EntryState

_WAITING = metrics.gauge(
    "sendgate_entry_changes_waiting",
    "Changes of duplicate entries that wait for a ledger that is away; from ledger.changes on, "
    "mail that would be held is deferred.",
)


class Arrears:
    """In the order in which they came; `most` is where mail is turned away."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changes: dict[tuple[str, str], Change] = {}

    def __len__(self) -> int:
        return len(self._changes)

    def gauge(self) -> None:
        """Show how many wait."""
        _WAITING.set(len(self._changes))

    @property
    def share(self) -> float:
        """Of what may wait; 1.0 and above: no more mail that would add to it."""
        return len(self._changes) / self._most

    def keep(self, changes: Iterable[Change]) -> None:
        """For later. A later change of the same message stands for both."""
        for change in changes:
            place = change.key, change.owner
            known = self._changes.get(place)
            if known is None or _follows(change, known):
                # Where the first one stood: another owner's change behind it waits for it.
                server = change.server or (known.server if known else "")
                self._changes[place] = msgspec.structs.replace(change, server=server)

    def take(self) -> list[Change]:
        """All of them; nothing is left."""
        found, self._changes = list(self._changes.values()), {}
        return found


def _follows(change: Change, known: Change) -> bool:
    """Whether the ledger would take `change` after `known` (remembering.lua)."""
    if known.state is EntryState.SENT or change.attempt < known.attempt:
        return False
    return known.state is not EntryState.FREE or change.attempt > known.attempt
