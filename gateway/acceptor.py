"""Takes connections from a socket that several workers share, no more than this worker's share.

Rule: a worker takes a connection when no other has fewer sessions (an eighth more of many does not
matter), for MailWizz may open a few and keep them for hours; whoever has more leaves it to the
others for some milliseconds, and takes it all the same when nobody did.
Measured: left to themselves two workers share 20 connections 0 to 20, for the first one awake takes
all that wait.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from gateway.board import BEAT, Board
from gateway.log import Log

_STEP_BACK = 0.002
_LONGEST = 0.025
"""Seconds for which a connection is left to the others; one that is busy may need that long."""
_NO_DESCRIPTORS = 1.0


class Acceptor:
    """One listening socket of one worker."""

    def __init__(
        self,
        bound: socket.socket,
        session: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        *,
        board: Board,
        sessions: Callable[[], int],
        log: Log,
    ) -> None:
        """`sessions`: how many this worker has now."""
        self._bound = bound
        self._session = session
        self._tls = tls
        self._board = board
        self._sessions = sessions
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._left_since = 0.0
        self._timers: list[asyncio.TimerHandle] = []
        bound.setblocking(False)
        self._beat()
        self._listen()

    def close(self) -> None:
        """Take no more."""
        self._loop.remove_reader(self._bound)
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        self._bound.close()

    def _listen(self) -> None:
        self._loop.add_reader(self._bound, self._accept)

    @property
    def _mine(self) -> int:
        """Sessions of this worker, those that are being opened among them."""
        return self._sessions() + len(self._opening)

    def _beat(self) -> None:
        self._board.post(self._mine)
        self._later(BEAT, self._beat)

    def _later(self, seconds: float, step: Callable[[], None]) -> None:
        now = self._loop.time()
        self._timers = [t for t in self._timers if not t.cancelled() and t.when() > now]
        self._timers.append(self._loop.call_later(seconds, step))

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._bound)
        self._later(seconds, self._listen)

    def _ours(self) -> bool:
        """Whether it is our turn; posts what we have either way."""
        mine = self._mine
        self._board.post(mine)
        least = self._board.least()
        if least is None or mine <= least + mine // 8:
            return True
        now = self._loop.time()
        if now - self._left_since > 2 * _LONGEST:
            self._left_since = now
        return now - self._left_since > _LONGEST

    def _accept(self) -> None:
        if not self._ours():
            self._pause(_STEP_BACK)
            return
        try:
            connection, _ = self._bound.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was quicker, or the client went away
        except OSError as error:
            # No descriptors or no memory: the connections wait in the kernel meanwhile.
            self._log.error("accept_failed", why=str(error))
            self._pause(_NO_DESCRIPTORS)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(
            self._loop.connect_accepted_socket(self._session, connection, ssl=self._tls)
        )
        self._opening.add(task)
        task.add_done_callback(self._opened)
        self._board.post(self._mine)

    def _opened(self, task: asyncio.Task[object]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A TLS handshake that failed, or a client that went away before it began.
            self._log.debug("session_lost", why=repr(error))
