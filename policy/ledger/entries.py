"""Duplicate entries of the memory twin; the rules are those of `decide.lua`, line by line.

An entry says whose message a key belongs to and what became of it (policy/README.md:
duplicates). Times in milliseconds: real time for a message that is tried, calendar time for one
that was sent.
"""

import msgspec

from policy.ledger_port import Duplicate, EntryState


class Entry(msgspec.Struct, frozen=True):
    """One key's entry."""

    state: EntryState
    owner: str
    attempt: int
    server: str
    since: int


class Entries:
    """All entries of one ledger."""

    def __init__(self, *, trying: int = 25_000, sent_kept: int = 604_800_000) -> None:
        self.real = 0
        """Real time; tests move it."""
        self._trying = trying
        self._sent_kept = sent_kept
        self._entries: dict[str, Entry] = {}

    def find(self, key: str, now: int) -> Entry | None:
        """The entry of a key, None when a sent one has grown old."""
        entry = self._entries.get(key)
        if entry and entry.state is EntryState.SENT and now - entry.since > self._sent_kept:
            return None
        return entry

    def look(self, key: str, now: int) -> Duplicate | None:
        """As another message meets it."""
        entry = self.find(key, now)
        if entry is None:
            return None
        state = entry.state
        if state is EntryState.TRYING and self.real - entry.since > self._trying:
            state = EntryState.DOUBT
        return Duplicate(state, entry.owner, entry.attempt, entry.server)

    def met(self, key: str, owner: str, now: int) -> Duplicate | None:
        """What keeps `owner` from sending; None: nothing does."""
        found = self.look(key, now)
        if found is None or found.state is EntryState.FREE or found.owner == owner:
            return None
        return found

    def tried(self, key: str, owner: str, attempt: int, server: str, now: int) -> None:
        """A reserve was decided; a held message stays held while it is tried again."""
        entry = self.find(key, now)
        state = EntryState.TRYING
        if entry and entry.owner == owner and entry.state is not EntryState.FREE:
            state = entry.state
            if not server and state is not EntryState.TRYING:
                # Nothing was granted: the row still stands at the attempt before.
                return
        self._put(key, state, owner, attempt, server, now)

    def change(
        self, key: str, owner: str, attempt: int, state: EntryState, server: str, now: int
    ) -> None:
        entry = self.find(key, now)
        if entry is not None:
            if entry.owner != owner:
                if entry.state is not EntryState.FREE or state is EntryState.FREE:
                    return
            elif (
                attempt < entry.attempt
                or entry.state is EntryState.SENT
                or (entry.state is EntryState.FREE and attempt == entry.attempt)
            ):
                return
            else:
                server = server or entry.server
        self._put(key, state, owner, attempt, server, now)

    def _put(
        self, key: str, state: EntryState, owner: str, attempt: int, server: str, now: int
    ) -> None:
        since = self.real if state in (EntryState.TRYING, EntryState.FREE) else now
        self._entries[key] = Entry(state, owner, attempt, server, since)
