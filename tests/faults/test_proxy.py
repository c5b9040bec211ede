"""The proxy does to a conversation what a scenario says it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.faults.proxy import Cut, Proxy

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Upstream:
    """A server that answers each DATA with 354, each dot with 250, and remembers."""

    def __init__(self) -> None:
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1000):
                self.heard += data
                writer.write(b"354 go\r\n" if data == b"DATA\r\n" else b"250 ok\r\n")
        writer.close()


@contextlib.asynccontextmanager
async def through() -> AsyncIterator[tuple[Upstream, Proxy, Pair]]:
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    async with Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield upstream, proxy, (reader, writer)
        writer.close()
    server.close()


async def say(pair: Pair, data: bytes) -> bytes:
    """What comes back; b"" when the connection was reset."""
    try:
        pair[1].write(data)
        return await asyncio.wait_for(pair[0].read(1000), 5.0)
    except ConnectionError:
        return b""


async def test_octets_pass_both_ways() -> None:
    async with through() as (upstream, _, pair):
        assert await say(pair, b"DATA\r\n") == b"354 go\r\n"
        assert await say(pair, b"x\r\n.\r\n") == b"250 ok\r\n"
        assert upstream.heard == b"DATA\r\nx\r\n.\r\n"


@pytest.mark.parametrize(
    ("where", "heard"),
    [
        (Cut.BEFORE_DOT, b"DATA\r\n"),
        (Cut.DOT_LOST, b"DATA\r\nx"),
        (Cut.AFTER_DOT, b"DATA\r\nx\r\n.\r\n"),
    ],
)
async def test_a_tear_comes_exactly_where_it_was_asked_for(where: Cut, heard: bytes) -> None:
    async with through() as (upstream, proxy, pair):
        proxy.tear(where, 1)
        answer = await say(pair, b"DATA\r\n")
        if where is not Cut.BEFORE_DOT:
            assert answer == b"354 go\r\n"
            assert await say(pair, b"x") == b"250 ok\r\n"
            answer = await say(pair, b"\r\n.\r\n")
        assert answer == b""
        assert upstream.heard == heard
        assert (proxy.cuts, proxy.cuts_left) == (1, 0)


async def test_what_is_stalled_arrives_later() -> None:
    async with through() as (upstream, proxy, pair):
        await say(pair, b"x")
        proxy.stall()
        pair[1].write(b"y")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pair[0].read(1), 0.2)
        assert upstream.heard == b"x"
        proxy.go_on()
        assert await asyncio.wait_for(pair[0].read(1000), 5.0) == b"250 ok\r\n"
        assert upstream.heard == b"xy"


async def test_a_cut_resets_both_ends_and_refusing_resets_new_ones() -> None:
    async with through() as (_, proxy, pair):
        await say(pair, b"x")
        proxy.refusing = True
        proxy.cut()
        assert await say(pair, b"y") == b""
        other = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await say(other, b"x") == b""
        other[1].close()


async def test_what_is_withheld_was_heard_and_its_answers_arrive_later() -> None:
    async with through() as (upstream, proxy, pair):
        await say(pair, b"x")
        proxy.withhold()
        pair[1].write(b"y")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pair[0].read(1), 0.2)
        assert upstream.heard == b"xy"
        proxy.go_on()
        assert await asyncio.wait_for(pair[0].read(1000), 5.0) == b"250 ok\r\n"
