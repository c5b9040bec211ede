"""Messages answered 250 after the moment a restored PostgreSQL knows of: how many, and from when.

from policy.number import agree, count
The ledger knows those with a duplicate key, as entries of held messages that changed after the
newest row came and whose message has none; the log of the gateways knows all (`outcome` held). A
commit is later than the arrival of any row before it, so none that is missing changed earlier. What
they are is in the log alone.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from policy.number import agree, count

NAMED = 5
"""Ids said in a sentence; --json has all."""


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """`since`: the newest message of this PostgreSQL; times by the calendar."""

    since: str = ""
    entries: int = 0
    """Held messages in the ledger that are not in this PostgreSQL."""
    until: str = ""
    """When the last of them was held; empty where there is none."""
    logged: list[str] = []
    """Ids of those that the log names."""

    def sentences(self) -> list[str]:
        """For people; none where nothing is missing."""
        said = []
        if self.entries:
            said.append(
                f"{count(self.entries, 'message')} answered 250 after {self.since}, the last at "
                f"{self.until}, {agree(self.entries, 'is', 'are')} in the ledger and not in this "
                f"PostgreSQL"
            )
        if self.logged:
            more = len(self.logged) - NAMED
            said.append(
                f"{count(len(self.logged), 'message')} of the log "
                f"{agree(len(self.logged), 'was', 'were')} held after {self.since} and "
                f"{agree(len(self.logged), 'is', 'are')} not in this PostgreSQL: "
                f"{', '.join(self.logged[:NAMED])}"
                + (f" and {more} more (--json names all)" if more > 0 else "")
            )
        return said


def from_log(files: Iterable[Path], since: int) -> list[str]:
    """Ids of messages that a line calls held later than `since`, and none calls released. Raises
    OSError."""
    held: dict[str, None] = {}
    released: set[str] = set()
    for file in files:
        with file.open("rb") as lines:
            for raw in lines:
                start = raw.find(b"{")
                try:
                    line = msgspec.json.decode(raw[start:]) if start >= 0 else None
                except msgspec.DecodeError:
                    continue
                if not isinstance(line, dict) or not isinstance(line.get("message"), str):
                    continue
                if line.get("event") == "released" and line.get("outcome") == "relayed":
                    released.add(line["message"][:27])
                elif line.get("outcome") == "held" and _at(line.get("time")) > since:
                    held[line["message"]] = None
    return [name for name in held if name not in released]


def _at(seconds: object) -> int:
    return round(seconds * 1000) if isinstance(seconds, int | float) else 0
