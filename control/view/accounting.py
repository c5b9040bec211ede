"""How far PowerMTA's accounting has been read."""

import msgspec


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    """One server's accounting; times are calendar milliseconds, 0 for never."""

    server: str
    path: str
    file: str = ""
    """The file being read."""
    position: int = 0
    """Octets of it that were read."""
    behind: int | None = None
    """Octets written and not read yet; null where this node cannot see the files."""
    read_at: int = 0
    """Up to then everything written was read."""
    age: float | None = None
    """Seconds since `read_at`; null when it has never been."""
    since: int = 0
    """What was sent before cannot be proved absent, nor what was sent before `gap_at`."""
    records: int = 0
    received: int = 0
    """Of the records, receipts (r)."""
    skipped: int = 0
    gap_at: int = 0
    gap: str = ""
    problem: str = ""
