"""Takes connections from a socket that several workers share, no more than this worker's share.

Rule: a worker takes a connection when no other has fewer sessions (an eighth more of many does not
matter), for MailWizz may open a few and keep them for hours; whoever has more leaves it to the
others for some milliseconds, and takes that one all the same when nobody did. Where a worker's
connections come and go, some 300 a second and more, a difference of up to four is let be: it evens
out by itself, and lasting ones among them were never told apart.
Measured: left to themselves two workers share 20 connections 0 to 20, for the first one awake takes
all that wait.
"""

import asyncio
import errno
import select
import socket
import ssl
from collections.abc import Callable
from functools import partial

from gateway.accept.board import BEAT, Board
from gateway.sessions import OpenSessions
from gateway.watch.log import Log

_STEP_BACK = 0.002
_LONGEST = 0.025
"""Seconds for which a connection is left to the others; one that is busy may need that long."""
_PASSING = 32
"""Sessions that end within a beat for each one more that a worker may have than another. Two
workers, a message a connection, 20 at a time: kept equal to one, a message cost both of them 496 µs
together, and 400 µs so; one worker alone 245 µs."""
_MOST_SLACK = 4
_NO_DESCRIPTORS = 1.0
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """One listening socket of one worker."""

    def __init__(
        self,
        bound: socket.socket,
        session: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        *,
        board: Board,
        live: OpenSessions,
        log: Log,
    ) -> None:
        """`live`: this worker's sessions, which tell the board how many they are."""
        self._bound = bound
        self._session = session
        self._tls = tls
        self._board = board
        self._live = live
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._ended = live.ended
        self._slack = 0
        """Sessions that we may have more than another worker, for many pass by."""
        self._left_since: float | None = None
        """Since when the connection that waits is left to the others."""
        self._waiting = select.poll()
        self._waiting.register(bound, select.POLLIN)
        self._next_look: asyncio.TimerHandle | None = None
        self._next_beat: asyncio.TimerHandle | None = None
        bound.setblocking(False)
        self._beat()
        self._listen()

    def close(self) -> None:
        """Take no more."""
        self._loop.remove_reader(self._bound)
        for timer in (self._next_look, self._next_beat):
            if timer is not None:
                timer.cancel()
        self._bound.close()

    def _listen(self) -> None:
        """Wait for connections; the one that was left to the others may still be there."""
        self._board.away = False
        waits = self._left_since is not None and self._waiting.poll(0)
        if waits and not self._ours():
            self._next_look = self._loop.call_later(_STEP_BACK, self._listen)
            return
        self._left_since = None
        self._loop.add_reader(self._bound, self._accept)
        if waits:
            self._take()

    def _beat(self) -> None:
        ended, self._ended = self._live.ended - self._ended, self._live.ended
        self._slack = min(ended // _PASSING, _MOST_SLACK)
        self._board.post(self._live.count)
        self._next_beat = self._loop.call_later(BEAT, self._beat)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._bound)
        self._next_look = self._loop.call_later(seconds, self._listen)

    def _ours(self) -> bool:
        """Whether the connection that waits is for us."""
        mine, least = self._live.count, self._board.least()
        if least is None or mine <= least + mine // 8 + self._slack:
            return True
        now = self._loop.time()
        if self._left_since is None:
            self._left_since = now
        return now - self._left_since > _LONGEST

    def _accept(self) -> None:
        if self._ours():
            self._take()
        else:
            self._pause(_STEP_BACK)

    def _take(self) -> None:
        try:
            connection, _ = self._bound.accept()
        except OSError as error:
            # Mostly another worker was quicker, or the client went away (accept(2)).
            if error.errno in _SCARCE:
                # The connections wait in the kernel meanwhile, if no other worker takes them.
                self._log.error("accept_failed", why=str(error))
                self._board.away = True
                self._board.post(self._live.count)
                self._pause(_NO_DESCRIPTORS)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = self._session()
        self._live.expect(session)
        task = self._loop.create_task(
            self._loop.connect_accepted_socket(lambda: session, connection, ssl=self._tls)
        )
        self._opening.add(task)
        task.add_done_callback(partial(self._opened, session))

    def _opened(self, session: asyncio.Protocol, task: asyncio.Task[object]) -> None:
        self._opening.discard(task)
        self._live.give_up(session)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A TLS handshake that failed, or a client that went away before it began.
            self._log.debug("session_lost", why=repr(error))
