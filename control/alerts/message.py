"""A message about an alert, in words. Pure."""

import msgspec

from policy.isotime import instant
from policy.number import count


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """As it stands on a channel's list; times in calendar milliseconds."""

    message: int
    attempts: int
    """With this one."""
    kind: str
    """begin, again, end or test."""
    at: int
    severity: str
    what: str
    next: str
    alert: int
    key: str
    first_seen: int
    count: int
    returned: int = 0
    """How often it came back."""

    @property
    def subject(self) -> str:
        """One line."""
        word = {"end": "over", "test": "test"}.get(self.kind, self.severity)
        return f"Sendgate {word}: {self.key}"

    @property
    def _flaps(self) -> str:
        return f"; gone and back {count(self.returned, 'time')}" if self.returned else ""

    @property
    def text(self) -> str:
        """All of it, in lines."""
        since = instant(self.first_seen)
        if self.kind == "end":
            return f"OVER: {self.what}\nfrom {since} to {instant(self.at)}{self._flaps}"
        head = "TEST" if self.kind == "test" else self.severity.upper()
        lines = [f"{head}: {self.what}"]
        if self.kind == "again":
            lines.append(f"since {since}, still so at {instant(self.at)}{self._flaps}")
        if self.next:
            lines.append(f"next: {self.next}")
        return "\n".join(lines)


def trial(now: int) -> Message:
    """What `sendgate alert test` sends."""
    return Message(
        message=0,
        attempts=1,
        kind="test",
        at=now,
        severity="info",
        what="this is a test of Sendgate's alerts; nothing is wrong",
        next="",
        alert=0,
        key="test",
        first_seen=now,
        count=1,
    )
