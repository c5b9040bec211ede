"""The sessions of one worker, from the moment their connection is taken until they end.

Owns: how many there are. Not here: who may have a greeting (`gateway.session.admission`).
Rule: a connection counts once, although nothing of it is heard before its transport is made, or its
TLS handshake done; who shares connections by these figures would take too many or too few.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from gateway.watch import metrics

_OPEN: Final = metrics.level("sendgate_sessions", "Client sessions open now.")


class Session(Protocol):
    """A session as its service sees it."""

    def close_if_idle(self) -> None: ...

    def cut(self) -> None: ...

    @property
    def handling(self) -> bool: ...


class OpenSessions:
    """To iterate over it, and to ask how long it is, is to look at those that are connected."""

    def __init__(self) -> None:
        self._sessions: set[Session] = set()
        self._expected: set[object] = set()
        self.tell: Callable[[int], None] = nobody
        """Is told `count` whenever it changes."""
        self.ended = 0
        """Sessions that are over, since the worker's start."""

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """Safe while sessions end."""
        return iter(tuple(self._sessions))

    @property
    def count(self) -> int:
        """Sessions, those that are being opened among them."""
        return len(self._sessions) + len(self._expected)

    def expect(self, session: object) -> None:
        """Its connection was taken."""
        self._expected.add(session)
        self.tell(self.count)

    def give_up(self, session: object) -> None:
        """No longer expect it; one that was connected stays."""
        if session in self._expected:
            self._expected.discard(session)
            self.tell(self.count)

    def add(self, session: Session) -> None:
        """It is connected."""
        self._expected.discard(session)
        self._sessions.add(session)
        _OPEN.inc()
        self.tell(self.count)

    def discard(self, session: Session) -> None:
        """It ended."""
        self._sessions.discard(session)
        _OPEN.dec()
        self.ended += 1
        self.tell(self.count)


def nobody(count: int) -> None:
    """For whom nobody keeps a board."""
