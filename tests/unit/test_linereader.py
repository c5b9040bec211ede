"""Lines and blocks without waiting, in bounded memory. Asyncio's own buffer is the reader's: this
pins what it relies on."""

import asyncio

import pytest

from gateway.session.linereader import LineFault, LineReader


class Paused(asyncio.ReadTransport):
    """Knows whether it was asked to pause."""

    paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def reader() -> LineReader:
    return LineReader(limit=65_536, loop=asyncio.get_running_loop())


@pytest.mark.parametrize("step", [1, 3, 100])
async def test_a_line_is_taken_whole_however_it_comes(step: int) -> None:
    lines = reader()
    text = b"NOOP\r\nbare\nEHLO x\r\n"
    found: list[object] = []
    for start in range(0, len(text), step):
        lines.feed_data(text[start : start + step])
        while (line := lines.take(100)) is not None:
            found.append(line)
    assert found == [b"NOOP", LineFault.BARE_LF, b"EHLO x"]


@pytest.mark.parametrize("step", [7, 99, 250])
async def test_an_over_long_line_is_thrown_away_to_its_end(step: int) -> None:
    lines = reader()
    text = b"x" * 1000 + b"\r\nNOOP\r\n"
    found: list[object] = []
    for start in range(0, len(text), step):
        lines.feed_data(text[start : start + step])
        while (line := lines.take(100)) is not None:
            found.append(line)
        assert lines.buffered < 100 + step
    assert found == [LineFault.TOO_LONG, b"NOOP"]


async def test_the_tail_of_an_over_long_line_is_no_command() -> None:
    """It may come by itself, in a segment that looks like a whole line."""
    lines = reader()
    lines.feed_data(b"x" * 101)
    assert lines.take(100) is None
    assert lines.lone(b"QUIT\r\n", 100) is None
    lines.feed_data(b"QUIT\r\n")
    assert lines.take(100) is LineFault.TOO_LONG
    assert lines.lone(b"NOOP\r\n", 100) == b"NOOP"


async def test_a_line_past_the_buffer_is_as_long_as_one_in_it_at_most() -> None:
    lines = reader()
    assert lines.lone(b"y" * 98 + b"\r\n", 100) == b"y" * 98
    assert lines.lone(b"y" * 99 + b"\r\n", 100) is None


async def test_a_block_is_bounded_and_what_is_put_back_comes_first() -> None:
    lines = reader()
    lines.feed_data(b"a" * 100_000 + b"\r\n")
    first = lines.take_block(65_536)
    assert len(first) == 65_536
    lines.put_back(first[-10:])
    assert lines.buffered == 100_002 - 65_536 + 10
    assert lines.take(100_000) == b"a" * (100_000 - 65_536 + 10)
    assert lines.take_block(10) == b""


async def test_reading_pauses_while_much_waits_and_goes_on_when_it_was_taken() -> None:
    lines, transport = reader(), Paused()
    lines.set_transport(transport)
    lines.feed_data(b"x" * 200_000)
    assert transport.paused
    while lines.take_block(65_536):
        pass
    assert not transport.paused


async def test_who_waits_for_a_line_gets_it_or_none_at_the_end() -> None:
    lines = reader()
    waiting = asyncio.ensure_future(lines.line(100))
    await asyncio.sleep(0)
    lines.feed_data(b"NO")
    await asyncio.sleep(0)
    lines.feed_data(b"OP\r\nrest")
    assert await waiting == b"NOOP"
    waiting = asyncio.ensure_future(lines.line(100))
    await asyncio.sleep(0)
    lines.feed_eof()
    assert await waiting is None
    assert lines.ended
    broken = reader()
    waiting = asyncio.ensure_future(broken.line(100))
    await asyncio.sleep(0)
    broken.set_exception(ConnectionResetError())
    assert await waiting is None
    assert broken.ended
