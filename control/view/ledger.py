"""How the ledger stands."""

from enum import StrEnum

import msgspec


class LedgerState(StrEnum):
    """What the ledger and PostgreSQL say together."""

    OPEN = "open"
    NEVER_OPENED = "never opened"
    LOST = "lost"
    """Its counts are not those that were opened; seen by control within seconds."""
    REBUILDING = "rebuilding"
    """It opens again by itself; `waits` says after what."""
    AWAY = "away"


class LedgerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """For people and for `ledger status --json`."""

    name: str
    state: LedgerState
    detail: str
    since: str = ""
    """ISO time by the calendar: of the opening, or of the loss; '' when nobody knows."""
    waits: list[str] = []
    """What a rebuilding ledger waits for."""
    closed: list[str] = []
    """IPs that send nothing until the day's turn, because their counts of today are lost."""
    recorded: str = ""
    in_force: str = ""
    problems: list[str] = []
