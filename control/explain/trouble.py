"""Something wrong, and the command that comes next."""

import msgspec


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong."""

    what: str
    next: str
    """The command to type next."""
