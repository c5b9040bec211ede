"""Connections that wait for several workers: whose turn it is, and for how long."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.accept.acceptor import _MOST_SLACK, _PASSING, Acceptor
from gateway.accept.board import Board
from gateway.sessions import OpenSessions
from gateway.watch.log import Log

_LEFT = 0.025


class Client(asyncio.Protocol):
    """A session, which tells when it was taken."""

    def __init__(self, live: OpenSessions, taken: "asyncio.Queue[float]") -> None:
        self.live = live
        taken.put_nowait(asyncio.get_running_loop().time())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.live.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.live.discard(self)

    def close_if_idle(self) -> None: ...

    def cut(self) -> None: ...

    @property
    def handling(self) -> bool:
        return False


class FakeSocket:
    """A socket whose `accept` is another."""

    def __init__(self, real: socket.socket, accept: Callable[[], None]) -> None:
        self._real = real
        self.accept = accept

    def fileno(self) -> int:
        return self._real.fileno()


class Place:
    """One worker's acceptor, beside another that has no sessions and takes none."""

    def __init__(self, folder: Path) -> None:
        self.bound = socket.create_server(("127.0.0.1", 0))
        self.other = Board(folder / "board", 1, 2)
        self.board = Board(folder / "board", 0, 2)
        self.live = OpenSessions()
        self.live.tell = self.board.post
        self.taken: asyncio.Queue[float] = asyncio.Queue()
        self.acceptor = Acceptor(
            self.bound, lambda: Client(self.live, self.taken), None,
            board=self.board, live=self.live, log=Log(),
        )  # fmt: skip
        self.beating = asyncio.create_task(self._beat())
        self.sockets: list[socket.socket] = []

    async def _beat(self) -> None:
        while True:
            self.other.post(0)
            await asyncio.sleep(0.05)

    def connect(self) -> float:
        """Loop time at which it was made."""
        self.sockets.append(socket.create_connection(self.bound.getsockname()))
        return asyncio.get_running_loop().time()

    async def close(self) -> None:
        self.beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.beating
        self.acceptor.close()
        for one in self.sockets:
            one.close()
        async with asyncio.timeout(5):
            while self.live.count:
                await asyncio.sleep(0.005)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await asyncio.sleep(0)
    yield place
    await place.close()


async def next_one(place: Place) -> float:
    async with asyncio.timeout(5):
        return await place.taken.get()


async def test_each_connection_is_left_to_a_worker_that_has_fewer(place: Place) -> None:
    """Not only the first one of a burst: the others would all go to whoever is awake."""
    place.connect()
    await next_one(place)
    made = place.connect()
    place.connect()
    first, second = await next_one(place), await next_one(place)
    assert first - made >= _LEFT
    assert second - first >= _LEFT


async def test_one_that_another_worker_took_leaves_the_next_its_whole_time(place: Place) -> None:
    place.connect()
    await next_one(place)
    place.connect()
    async with asyncio.timeout(5):
        while place.acceptor._left_since is None:
            await asyncio.sleep(0)
    with place.bound.dup() as theirs, theirs.accept()[0]:
        async with asyncio.timeout(5):
            while place.acceptor._left_since is not None:
                await asyncio.sleep(0)
        made = place.connect()
        assert await next_one(place) - made >= _LEFT


async def test_what_nobody_else_can_take_is_left_to_nobody(place: Place) -> None:
    """The other has more, then tells nothing any more, then cannot take any."""
    place.beating.cancel()
    place.connect()
    await next_one(place)
    place.other.post(9)
    place.connect()
    await next_one(place)
    async with asyncio.timeout(5):
        while place.board.least() is not None:
            await asyncio.sleep(0.05)
    place.connect()
    await next_one(place)
    assert place.acceptor._left_since is None


async def test_a_small_difference_is_let_be_while_many_sessions_pass_by(place: Place) -> None:
    """A message a connection: what is uneven now is even in some milliseconds."""
    place.connect()
    await next_one(place)
    async with asyncio.timeout(5):
        while not place.acceptor._slack:
            place.live.ended += _PASSING
            await asyncio.sleep(0.02)
    made = place.connect()
    assert await next_one(place) - made < _LEFT
    async with asyncio.timeout(5):
        while place.acceptor._slack < _MOST_SLACK:
            place.live.ended += 100 * _PASSING
            await asyncio.sleep(0.02)
    assert place.acceptor._slack == _MOST_SLACK
    async with asyncio.timeout(5):
        while place.acceptor._slack:
            await asyncio.sleep(0.02)
    made = place.connect()
    assert await next_one(place) - made >= _LEFT


async def test_a_worker_without_descriptors_is_not_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accept() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(place.acceptor, "_bound", FakeSocket(place.bound, accept))
    place.connect()
    async with asyncio.timeout(5):
        while not place.board.away:
            await asyncio.sleep(0.005)
    assert place.other.least() is None
    monkeypatch.undo()
    await next_one(place)
    assert place.other.least() is not None


async def test_a_session_counts_once_from_when_it_was_taken_to_its_end(place: Place) -> None:
    live, counts = place.live, []
    live.tell = lambda count: counts.append((count, len(live)))
    place.connect()
    await next_one(place)
    await asyncio.sleep(0.01)
    place.sockets.pop().close()
    async with asyncio.timeout(5):
        while live.count:
            await asyncio.sleep(0.005)
    assert counts == [(1, 0), (1, 1), (0, 0)]
    assert live.ended == 1


def test_a_connection_that_never_opens_is_given_up() -> None:
    live, session = OpenSessions(), object()
    live.expect(session)
    assert (live.count, len(live)) == (1, 0)
    live.give_up(session)
    live.give_up(session)
    assert live.count == 0
