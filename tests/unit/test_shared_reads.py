"""Reads that wait together are one; what is kept of the plan goes when the plan does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from control.api.shared import PLAN, Reads

LIST, LIVE = "/api/v2/tenants", "/api/v2/status"


class Source:
    """What is read; each read takes until it is let go."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.go = asyncio.Event()
        self.go.set()

    async def read(self) -> Any:
        self.reads += 1
        found = self.value
        await self.go.wait()
        if found < 0:
            raise ValueError(found)
        return found


def told(value: str | None) -> Callable[[], Awaitable[str | None]]:
    async def as_of() -> str | None:
        return value

    return as_of


async def turn() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_fifty_at_once_are_two_reads() -> None:
    reads, source = Reads(told("1"), 0), Source()
    found = await asyncio.gather(*(reads.read(LIVE, (), source.read) for _ in range(50)))
    assert (set(map(msgspec.json.encode, found)), source.reads) == ({b"0"}, 2)


@pytest.mark.parametrize("path", [LIVE, LIST])
async def test_nobody_gets_what_was_read_before_it_asked(path: str) -> None:
    reads, source = Reads(told(None), 1000), Source()
    source.go.clear()
    first = asyncio.create_task(reads.read(path, (), source.read))
    await turn()
    source.value = 1
    others = [asyncio.create_task(reads.read(path, (), source.read)) for _ in range(3)]
    await turn()
    source.go.set()
    assert msgspec.json.encode(await first) == b"0"
    assert {msgspec.json.encode(await one) for one in others} == {b"1"}


async def test_who_asks_another_thing_is_answered_by_itself() -> None:
    reads, source = Reads(told("1"), 1000), Source()
    await reads.read(LIST, ("acme",), source.read)
    await reads.read(LIST, ("globex",), source.read)
    assert source.reads == 2


async def test_an_answer_of_the_plan_is_kept_until_that_changes() -> None:
    state: list[str | None] = ["1 a"]

    async def as_of() -> str | None:
        return state[0]

    reads, source = Reads(as_of, 1000), Source()
    for _ in range(3):
        await reads.read(LIST, (), source.read)
    assert source.reads == 1
    state[0], source.value = "2 b", 7
    assert msgspec.json.encode(await reads.read(LIST, (), source.read)) == b"7"
    # Rows that no plan has yet: nothing is kept, and nothing kept is given.
    state[0] = None
    for value in (8, 9):
        source.value = value
        assert msgspec.json.encode(await reads.read(LIST, (), source.read)) == b"%d" % value


async def test_what_is_no_row_of_the_plan_is_read_each_time() -> None:
    reads, source = Reads(told("1"), 1000), Source()
    assert LIVE not in PLAN
    for _ in range(3):
        await reads.read(LIVE, (), source.read)
    assert source.reads == 3


async def test_what_is_kept_has_a_bound() -> None:
    reads, made = Reads(told("1"), 100), 0

    async def long() -> str:
        nonlocal made
        made += 1
        return "x" * 40

    for name in ("a", "b", "c", "b", "c", "a"):
        await reads.read(LIST, name, long)
    # Two of forty are kept; the one that was not asked for longest went.
    assert made == 4
    await reads.read(LIST, "huge", lambda: _text(1000))
    for name in ("c", "a"):
        await reads.read(LIST, name, long)
    assert made == 4


async def _text(octets: int) -> str:
    return "x" * octets


async def test_one_who_goes_away_does_not_take_it_from_the_others() -> None:
    reads, source = Reads(told("1"), 1000), Source()
    source.go.clear()
    gone, stays = (asyncio.create_task(reads.read(LIVE, (), source.read)) for _ in range(2))
    later = asyncio.create_task(reads.read(LIVE, (), source.read))
    await turn()
    gone.cancel()
    await turn()
    source.go.set()
    assert [msgspec.json.encode(await one) for one in (stays, later)] == [b"0", b"0"]


async def test_an_error_is_of_those_who_waited_and_of_nobody_after() -> None:
    reads, source = Reads(told("1"), 1000), Source()
    source.value = -1
    found = await asyncio.gather(
        *(reads.read(LIST, (), source.read) for _ in range(3)), return_exceptions=True
    )
    assert [type(one) for one in found] == [ValueError] * 3
    source.value = 3
    assert msgspec.json.encode(await reads.read(LIST, (), source.read)) == b"3"
