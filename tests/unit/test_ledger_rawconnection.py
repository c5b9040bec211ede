"""A line takes nothing for the reply to a question but the reply to it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import hiredis
import pytest
from redis import exceptions

from policy.ledger.rawconnection import RawConnection

PING = b"*1\r\n$4\r\nPING\r\n"
REPLY = b"$5\r\nhello\r\n"


class Transport:
    """Remembers what was done to it."""

    def __init__(self) -> None:
        self.protocol: Any = SimpleNamespace(connection_lost=lambda exc: None)
        self.before = self.protocol
        self.written: list[bytes] = []
        self.closed = False
        self.error: Exception | None = None

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        if self.error:
            raise self.error
        self.written.append(data)

    def abort(self) -> None:
        self.closed = True


class Connected:
    """What a line looks at of redis-py's connection."""

    def __init__(self, patience: float = 5.0) -> None:
        self.transport = Transport()
        self.run = "a1"
        self.socket_timeout = patience
        self._reader = asyncio.StreamReader()
        self._writer = SimpleNamespace(transport=self.transport)
        self._parser = SimpleNamespace(_reader=hiredis.Reader())

    def __repr__(self) -> str:
        return "<Connected>"


def line_of(patience: float = 5.0) -> tuple[RawConnection, Transport]:
    connected = Connected(patience)
    return RawConnection(connected), connected.transport


async def asked(line: RawConnection, within: float = 5.0) -> asyncio.Task[bytes]:
    """A question that has left."""
    task = asyncio.create_task(line.ask(PING, within))
    await asyncio.sleep(0)
    return task


async def test_a_reply_may_come_in_pieces() -> None:
    line, transport = line_of()
    task = await asked(line)
    for at in range(len(REPLY)):
        assert not task.done()
        line.data_received(REPLY[at : at + 1])
    assert await task == b"hello"
    assert (transport.written, transport.closed) == ([PING], False)
    assert repr(line) == "<RawConnection to a1: idle>"


async def test_a_line_answers_one_question_after_the_other() -> None:
    line, _ = line_of()
    for word in (b"one", b"two", b""):
        task = await asked(line)
        line.data_received(b"$%d\r\n%b\r\n" % (len(word), word))
        assert await task == word


@pytest.mark.parametrize("more", [REPLY, b"$", b"\r\n"])
async def test_more_than_one_reply_ends_it_and_none_of_them_counts(more: bytes) -> None:
    line, transport = line_of()
    task = await asked(line)
    line.data_received(REPLY + more)
    with pytest.raises(exceptions.ConnectionError, match="more than it was asked"):
        await task
    assert (line.ended, transport.closed) == (True, True)


async def test_what_nobody_asked_for_ends_it() -> None:
    line, transport = line_of()
    line.data_received(REPLY)
    assert (line.ended, transport.closed) == (True, True)
    with pytest.raises(exceptions.ConnectionError):
        await line.ask(PING, 5.0)
    assert transport.written == []


async def test_a_reply_after_its_time_is_nobodys() -> None:
    line, transport = line_of(patience=0.01)
    with pytest.raises(exceptions.TimeoutError, match="no reply from <Connected>"):
        await line.ask(PING, 5.0)
    assert (line.ended, transport.closed) == (True, True)
    line.data_received(REPLY)
    with pytest.raises(exceptions.ConnectionError):
        await line.ask(PING, 5.0)
    assert transport.written == [PING]


async def test_one_timer_keeps_the_time_of_every_question() -> None:
    """It was set for a later time, then for an earlier one, and fires while nobody waits."""
    line, _ = line_of()
    for within in (5.0, 0.2, 5.0):
        task = await asked(line, within)
        line.data_received(REPLY)
        await task
    await asyncio.sleep(0.22)
    assert not line.ended, "it fired for a question that has its reply"
    task = await asked(line, 5.0)
    line.data_received(REPLY)
    await task
    started = asyncio.get_running_loop().time()
    task = await asked(line, 0.05)
    with pytest.raises(exceptions.TimeoutError):
        await task
    assert 0.045 < asyncio.get_running_loop().time() - started < 2.0


async def test_a_question_that_came_too_late_does_not_leave() -> None:
    line, transport = line_of()
    with pytest.raises(exceptions.TimeoutError):
        await line.ask(PING, 0.0)
    assert (transport.written, line.ended) == ([], False)


async def test_a_caller_who_gives_up_ends_it() -> None:
    line, transport = line_of()
    task = await asked(line)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (line.ended, transport.closed) == (True, True)


async def test_a_caller_who_gives_up_behind_his_reply_leaves_it_in_step() -> None:
    line, transport = line_of()
    task = await asked(line)
    line.data_received(REPLY)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (line.ended, transport.closed) == (False, False)


@pytest.mark.parametrize("end", ["eof", "reset"])
async def test_a_connection_that_is_cut_within_a_reply(end: str) -> None:
    line, transport = line_of()
    task = await asked(line)
    line.data_received(REPLY[:-3])
    if end == "eof":
        line.eof_received()
    else:
        line.connection_lost(ConnectionResetError(104, "reset by peer"))
    with pytest.raises(exceptions.ConnectionError):
        await task
    assert (line.ended, transport.closed) == (True, True)


async def test_a_transport_that_was_reset_a_moment_ago_is_a_broken_connection() -> None:
    """uvloop raises RuntimeError for it."""
    line, transport = line_of()
    transport.error = RuntimeError("unable to perform operation; the handler is closed")
    with pytest.raises(exceptions.ConnectionError, match="the handler is closed"):
        await line.ask(PING, 5.0)
    assert line.ended


async def test_a_transport_that_is_closing_carries_no_question() -> None:
    """redis-py's side was closed; both loops drop what is written then, without a word."""
    line, transport = line_of()
    transport.closed = True
    with pytest.raises(exceptions.ConnectionError):
        await line.ask(PING, 5.0)
    assert (transport.written, line.ended) == ([], True)


async def test_who_waits_hears_why_it_was_hung_up() -> None:
    line, _ = line_of()
    task = await asked(line)
    line.hang_up("enough")
    with pytest.raises(exceptions.ConnectionError, match="enough"):
        await task


async def test_it_says_so_when_it_is_asked_twice_at_once() -> None:
    line, _ = line_of()
    task = await asked(line)
    with pytest.raises(RuntimeError, match="asked twice"):
        await line.ask(PING, 5.0)
    line.data_received(REPLY)
    assert await task == b"hello"


@pytest.mark.parametrize(
    ("reply", "kind", "ends"),
    [
        (b"-NOSCRIPT No matching script.\r\n", exceptions.NoScriptError, False),
        (b"-READONLY You can't write against a replica.\r\n", exceptions.ReadOnlyError, False),
        (b"-OOM command not allowed\r\n", exceptions.OutOfMemoryError, False),
        (b"-BUSY Valkey is busy running a script.\r\n", exceptions.ResponseError, False),
        (b"-NOPERM this user may not\r\n", exceptions.NoPermissionError, False),
        (b"-MASTERDOWN Link with MASTER is down\r\n", exceptions.MasterDownError, False),
        (b"-LOADING loading the dataset in memory\r\n", exceptions.BusyLoadingError, True),
        (b"-NOAUTH Authentication required.\r\n", exceptions.AuthenticationError, True),
        (b"-ERR max number of clients reached\r\n", exceptions.ConnectionError, True),
        (b"?what\r\n", exceptions.InvalidResponse, True),
        (b"$-1\r\n", exceptions.InvalidResponse, True),
        (b":1\r\n", exceptions.InvalidResponse, True),
        (b"*1\r\n$1\r\na\r\n", exceptions.InvalidResponse, True),
        (b">2\r\n$6\r\nmoving\r\n:1\r\n", exceptions.InvalidResponse, True),
    ],
)
async def test_errors_are_redis_pys_and_end_it_where_redis_py_hangs_up(
    reply: bytes, kind: type[Exception], ends: bool
) -> None:
    line, transport = line_of()
    task = await asked(line)
    line.data_received(reply)
    with pytest.raises(kind) as raised:
        await task
    assert type(raised.value) is kind
    assert (line.ended, transport.closed) == (ends, ends)


async def test_it_gives_a_connection_back_that_is_in_step() -> None:
    line, transport = line_of()
    assert line.give_back()
    assert (transport.protocol is transport.before, transport.closed) == (True, False)
    for spoil in ("ended", "busy", "closing"):
        line, transport = line_of()
        if spoil == "ended":
            line.eof_received()
        elif spoil == "busy":
            task = await asked(line)
        else:
            transport.closed = True
        assert not line.give_back(), spoil
        assert transport.closed
        if spoil == "busy":
            with pytest.raises(exceptions.ConnectionError, match="nobody waits"):
                await task


@pytest.mark.parametrize("where", ["stream", "parser", "eof"])
async def test_it_takes_no_connection_over_that_is_not_in_step(where: str) -> None:
    connected = Connected()
    if where == "stream":
        connected._reader.feed_data(b"$")
    elif where == "parser":
        connected._parser._reader.feed(b"$")
    else:
        connected._reader.feed_eof()
    with pytest.raises(exceptions.ConnectionError, match="not in step"):
        RawConnection(connected)
    assert connected.transport.protocol is connected.transport.before
