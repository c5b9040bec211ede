"""What operators asked the releasers for, and how far it is."""

from typing import Any

import msgspec

from control.held.held import stamp
from policy.isotime import not_before

SETTLED = ("open", "done", "undone", "failed")
"""States of a request in which nothing more happens by itself but that it cannot be undone any
more."""

FORGOTTEN = "(forgotten)"
"""Stands where an address was: a list that kept it would not have forgotten it."""


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    id: int
    """0: not made, a dry run."""
    at: str
    who: str
    action: str
    tenant: str | None
    campaign: str | None
    recipient: str | None
    reason: str | None
    message: str | None
    force: bool
    outcome: str
    """Of `settle`: delivered or absent."""
    state: str
    """waiting, running, open (done, and can be undone), ending, done, undoing, undone or failed."""
    changed: int
    """Messages changed so far."""
    error: str
    finished: str
    undo: int
    """Seconds for which it can be undone, once it was done; 0: not at all."""
    until: str
    """Until when it can be undone; empty unless it is open."""
    undone: int
    """Messages that were put back so far."""

    @property
    def undoable(self) -> bool:
        """Whether it can be undone still, as far as anybody knew when it was looked at."""
        return self.undo > 0 and self.state in ("waiting", "running", "open")


class HoldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request."""

    request: HoldRequest
    matching: int
    """Messages it would change now."""
    dry_run: bool
    accounting: int = 0
    """forget: the number of the search through accounting records; 0: none is made."""
    notes: list[str] = []
    generation: int | None = None
    """The plan by which new mail of the campaign is held or goes on; null: it did not change."""
    late: list[str] = []
    """Gateway workers that do not run it yet."""


def request_view(record: Any) -> HoldRequest:
    """From a row of `hold_request`."""
    values = dict(record)
    if values["action"] == "forget" or values["recipient"] == "":
        values["recipient"] = FORGOTTEN
    values["at"], values["finished"] = stamp(record["at"]), stamp(record["finished"])
    values["until"] = not_before(record["until"]) if record["until"] else ""
    return HoldRequest(**values)
