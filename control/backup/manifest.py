"""What a backup says of itself: its first entry, read before anything is changed."""

import msgspec

FORM = 1
"""Of the manifest; another one is another version's."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Of one backup. Times ISO 8601, UTC."""

    form: int = FORM
    made: str
    sendgate: str
    """Version that made it."""
    database: str
    server: int
    """Major version of the PostgreSQL it is of."""
    client: int
    """And of the pg_dump that wrote it."""
    schema: str
    """Revision of the schema."""
    tables: dict[str, int]
    """Rows of each table, counted in the very snapshot that was dumped."""
    waiting: dict[str, int]
    """Messages that waited then, by state."""
    newest: str
    """When the newest held message arrived; what came later is not in here."""
    secrets: list[str] = []
    """Fingerprints of control.secret and those before it, in order."""
    hold_keys: list[str] = []
    """IDs of hold.keys."""
    ledger: str = ""
    """Its name; empty: it did not answer, and its counts are not in here."""
    day: int = 0
    """The ledger's today, in days since 1970."""
    files: list[str] = []
    """Paths of files of this host that are in here."""
    absent: list[str] = []
    """What the settings name and was not there, or not readable, with why."""
    with_secrets: bool = True

    @property
    def rows(self) -> int:
        return sum(self.tables.values())
