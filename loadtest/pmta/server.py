"""The SMTP listeners and the sessions open on them."""

import asyncio
import socket
import ssl

from loadtest.pmta.dialogue import Answer, Offer, Then
from loadtest.pmta.intake import Intake
from loadtest.pmta.session import Session

MAX_SESSIONS = 100
"""PowerMTA's default for ``total-max-smtp-in``."""
FULL = Answer(b"421 4.3.2 too many connections, try again later\r\n", Then.CLOSE)


class Server:
    """Listens, greets, and knows every open session; `max_sessions` counts all listeners."""

    def __init__(
        self,
        intake: Intake,
        offer: Offer,
        tls: ssl.SSLContext | None = None,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        self._intake = intake
        self._offer = offer
        self._tls = tls
        self._max_sessions = max_sessions
        self._welcome = Answer(f"220 {offer.host_name} ESMTP service ready\r\n".encode())
        self._listeners: list[asyncio.Server] = []
        self._closed = asyncio.Event()
        self.sessions: set[Session] = set()

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Listen on `host`:`port` (0 = any free one); the address bound. Raises OSError."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._session, host, port, backlog=1024)
        self._listeners.append(listener)
        bound: socket.socket = listener.sockets[0]
        address = bound.getsockname()
        return address[0], address[1]

    def opened(self, session: Session) -> Answer:
        """Count `session` in; its greeting. Slots full: PowerMTA greets 421 and closes."""
        totals = self._intake.counts.totals
        totals.connections += 1
        self.sessions.add(session)
        self._closed.clear()
        slots = self._intake.faults.slots
        if len(self.sessions) > (self._max_sessions if slots is None else slots):
            totals.connections_refused += 1
            return FULL
        totals.most_sessions = max(totals.most_sessions, len(self.sessions))
        if fault := self._intake.faults.greeting:
            then = Then.GO_ON if fault.startswith("2") else Then.CLOSE
            return Answer(fault.encode() + b"\r\n", then)
        return self._welcome

    def closed(self, session: Session) -> None:
        """Count `session` out."""
        self.sessions.discard(session)
        if not self.sessions:
            self._closed.set()

    def freeze(self, frozen: bool) -> None:
        """Stop or resume every open session; new ones look at the faults themselves."""
        for session in list(self.sessions):
            if frozen:
                session.freeze()
            else:
                session.thaw()

    async def close(self) -> None:
        """Close the listeners, cut the sessions, and return when they are gone."""
        for listener in self._listeners:
            listener.close()
        for session in list(self.sessions):
            session.abort()
        if self.sessions:
            await self._closed.wait()
        for listener in self._listeners:
            await listener.wait_closed()

    def _session(self) -> Session:
        return Session(self._intake, self._offer, self, self._tls)
