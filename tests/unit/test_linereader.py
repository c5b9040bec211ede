"""Content in pieces: its reader wakes for the end wherever it is cut, and not for every piece."""

import asyncio
import math

import pytest

from gateway.datareader import DataReader
from gateway.linereader import LineReader

CONTENT = b"A: 1.\r\n\r\ntext.\r\n..\r\n.\r\n"


async def read(lines: LineReader, more: list[int], patience: float = 5.0) -> tuple[bytes, int]:
    """(the content, how many blocks it took)."""
    reader = DataReader(1_000_000, 1000)
    blocks = 0
    while not reader.done:
        block = await lines.block(patience, math.inf, tail=reader.tail, more=lambda: more.append(1))
        assert block
        blocks += 1
        lines.put_back(reader.feed(block) or b"")
    return reader.content(), blocks


@pytest.mark.parametrize("content", [CONTENT, b".\r\n"])
@pytest.mark.parametrize("follows", [b"", b"QUIT\r\n"])
async def test_the_end_is_found_wherever_it_is_cut(content: bytes, follows: bytes) -> None:
    whole = content + follows
    for taken in range(len(content)):
        for cut in range(taken, len(content)):
            lines = LineReader(limit=65_536, loop=asyncio.get_running_loop())
            # The first piece is there already, and is taken before the next ones come.
            lines.feed_data(whole[:taken])
            task = asyncio.ensure_future(read(lines, []))
            await asyncio.sleep(0)
            lines.feed_data(whole[taken:cut])
            await asyncio.sleep(0)
            lines.feed_data(whole[cut:])
            found, _ = await asyncio.wait_for(task, 2.0)
            assert found == content[:-3]
            assert lines.buffered == len(follows)
            lines.end()


async def test_small_pieces_wake_the_reader_once_and_each_is_acknowledged() -> None:
    lines = LineReader(limit=65_536, loop=asyncio.get_running_loop())
    more: list[int] = []
    task = asyncio.ensure_future(read(lines, more))
    for _ in range(9):
        await asyncio.sleep(0)
        lines.feed_data(b"a line\r\n" * 100)
    await asyncio.sleep(0)
    lines.feed_data(b".\r\n")
    found, blocks = await task
    assert len(found) == 7200
    assert (blocks, len(more)) == (1, 9)
    lines.end()


async def test_what_gathers_is_bounded() -> None:
    lines = LineReader(limit=65_536, loop=asyncio.get_running_loop())
    task = asyncio.ensure_future(lines.block(5.0, more=lambda: None))
    await asyncio.sleep(0)
    for _ in range(17):
        assert not task.done()
        lines.feed_data(b"x" * 1000)
        await asyncio.sleep(0)
    assert len(await task) == 17_000
    lines.end()


async def test_every_piece_renews_the_patience_and_the_deadline_stands() -> None:
    loop = asyncio.get_running_loop()
    lines = LineReader(limit=65_536, loop=loop)
    started = loop.time()
    task = asyncio.ensure_future(lines.block(0.3, started + 0.75, more=lambda: None))
    while loop.time() < started + 0.6:
        await asyncio.sleep(0.05)
        lines.feed_data(b"x")
    with pytest.raises(TimeoutError):
        await task
    assert 0.7 < loop.time() - started < 2.0
    assert await lines.block(0.05)
    with pytest.raises(TimeoutError):
        await lines.block(0.05)
    lines.end()


async def test_a_command_line_has_no_timer_of_its_own() -> None:
    loop = asyncio.get_running_loop()
    lines = LineReader(limit=65_536, loop=loop)
    with pytest.raises(TimeoutError):
        await lines.block(0.05)
    lines.feed_data(b"x")
    assert await lines.block(0.05) == b"x"
    task = asyncio.ensure_future(lines.line(100))
    await asyncio.sleep(0.2)
    lines.feed_data(b"NOOP\r\n")
    assert await task == b"NOOP"
    lines.end()
