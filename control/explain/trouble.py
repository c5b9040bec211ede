"""Something wrong, and the command that comes next."""

from typing import Literal

import msgspec


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong."""

    what: str
    next: str
    """The command to type next."""
    key: str
    """What it is, and of what, the same for as long as it lasts: the key of its alert."""
    severity: Literal["info", "warning", "critical"] = "warning"
