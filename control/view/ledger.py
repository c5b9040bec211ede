"""How the ledger stands."""

from enum import StrEnum

import msgspec


class LedgerState(StrEnum):
    """What the ledger and PostgreSQL say together."""

    OPEN = "open"
    NEVER_OPENED = "never opened"
    LOST = "lost"
    AWAY = "away"


class LedgerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """For people and for `ledger status --json`."""

    name: str
    state: LedgerState
    detail: str
    recorded: str = ""
    in_force: str = ""
    problems: list[str] = []
