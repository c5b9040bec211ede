"""Rules of the agent that no running one shows: what is synced when, bounds of time and memory."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from control.accounting.columns import Columns
from control.accounting.look import Step
from control.accounting.position import Position
from control.accounting.records import LONGEST, split
from control.accounting.shipment import Shipment
from control.accounting.understanding import Taken
from control.agent.memory import Memory, MemoryFile, stored
from control.agent.pipe import Pipe
from control.agent.post import Poster, PostError
from control.agent.stretches import Stretches
from control.agent.waiting import wait_behind
from settings.agent import Agent
from tests.support.control.answering import Reply, answering

MEMORY = Memory(server="pmta1", path="/log/acct.csv", turn=7)


def test_a_wait_doubles_up_to_its_bound_and_half_of_it_is_chance() -> None:
    assert [wait_behind(n, 1.0, 120.0, 1.0) for n in (1, 2, 3, 7, 8, 9)] == [1, 2, 4, 64, 120, 120]
    assert wait_behind(10_000, 1.0, 120.0, 1.0) == 120
    assert [wait_behind(3, 1.0, 120.0, chance) for chance in (0.0, 0.5)] == [2, 3]
    assert wait_behind(99, 1.0, 120.0, 0.0) == 60


def test_a_position_is_on_the_disk_before_it_takes_the_place_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = MemoryFile(tmp_path)
    kept = tmp_path / "position.json"
    file.write(MEMORY)
    old = kept.read_bytes()
    synced: list[tuple[str, bytes, int]] = []
    real = os.fsync

    def noting(number: int) -> None:
        path = Path(f"/proc/self/fd/{number}").readlink()
        synced.append((path.name, kept.read_bytes(), path.stat().st_size))
        real(number)

    monkeypatch.setattr(os, "fsync", noting)
    file.write(Memory(server="pmta1", path="/log/acct.csv", turn=1_234))
    new = kept.read_bytes()
    assert new != old
    (first, *before), (second, after, _) = synced
    assert (first, before) == ("position.new", [old, len(new)])
    assert (second, after) == (tmp_path.name, new)


@pytest.mark.parametrize("other", [("pmta2", "/log/acct.csv"), ("pmta1", "/log/other.csv")])
def test_the_position_of_another_stream_is_not_gone_on_from(
    tmp_path: Path, other: tuple[str, str]
) -> None:
    file = MemoryFile(tmp_path)
    file.write(MEMORY)
    assert file.read("pmta1", "/log/acct.csv") == MEMORY
    assert file.read(*other) is None


def test_files_that_went_are_forgotten_but_for_the_last_hundred() -> None:
    names = [f"acct-2026-03-01-{number:04}.csv" for number in range(1, 301)]
    memory = Memory(
        server="pmta1", path="p", turn=1, files=[Position(name, 1, 5) for name in names]
    )
    shipment = Shipment(agent="a", server="pmta1", path="p", turn=1, age=0.0)
    assert len(stored(memory, shipment, 2, None).files) == 300
    listed = Shipment(
        agent="a", server="pmta1", path="p", turn=1, age=0.0, present=(names[0], names[-1])
    )
    found = {position.file for position in stored(memory, listed, 2, None).files}
    assert found == {names[0], *names[-100:]}


def test_of_what_was_shipped_no_more_stays_in_memory_than_the_next_needs() -> None:
    stretches = Stretches()
    header = b"type,timeLogged,envId\r\n"
    content = b"".join(b"d,2026-03-01 00:00:00,m%08d\r\n" % n for n in range(5_000))
    columns: Columns | None = None
    for number in range(10):
        stretches.begin()
        data = header + content if number == 0 else content
        found = split(data, 1_000_000, columns, last=False)
        columns = found.columns
        names = columns.names if columns else ()
        taken = Taken("acct-2026-03-01-0001.csv", number * len(content), data, names)
        stretches.take(Step(1_000_000), taken, found, 0)
    stretches.begin()
    stretches.take(Step(10), Taken("acct-2026-03-01-0001.csv", 1, content, names), found, 0)
    (first,) = stretches.with_recall()
    assert first.anew
    assert LONGEST - 100 < len(first.recall) <= LONGEST
    assert content.endswith(first.recall[-1_000:])
    assert first.recall.startswith(b"d,"), "a whole record"


def _poster(folder: Path, url: str) -> Poster:
    token = folder / "token"
    token.write_text("sgt_x")
    return Poster(Agent(url=url, server="pmta1", token_file=str(token), timeout=2.0))


@pytest.mark.parametrize(
    ("asked", "waits"), [("7", 7.0), ("999999", 3_600.0), ("-3", 0.0), ("soon", 0.0), ("nan", 0.0)]
)
async def test_control_may_ask_for_a_wait_of_an_hour_at_most(
    tmp_path: Path, asked: str, waits: float
) -> None:
    async with answering(Reply(503, {"Retry-After": asked})) as control:
        poster = _poster(tmp_path, control.url)
        with pytest.raises(PostError) as raised:
            await asyncio.to_thread(poster.post, "/x", b"a look", "text/plain")
        assert raised.value.wait == waits
        poster.close()


async def test_what_may_have_been_taken_is_not_sent_again_at_once(tmp_path: Path) -> None:
    """On a kept connection no answer comes: whoever posts waits first."""
    async with answering(Reply(200), Reply(0)) as control:
        poster = _poster(tmp_path, control.url)
        assert (await asyncio.to_thread(poster.post, "/x", b"a look", "text/plain"))[0] == 200
        with pytest.raises(PostError, match="does not answer"):
            await asyncio.to_thread(poster.post, "/x", b"a look", "text/plain")
        assert len(control.asked["/x"]) == 2
        poster.close()


def test_nothing_is_read_from_the_pipe_before_all_that_was_read_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, into = os.pipe()
    synced = taken = 0
    real_read, real_sync = os.read, os.fdatasync

    def sync(number: int) -> None:
        nonlocal synced
        real_sync(number)
        synced = os.fstat(number).st_size

    def read(number: int, most: int) -> bytes:
        nonlocal taken
        assert synced == taken, "what was read before is not on the disk"
        data = real_read(number, most)
        taken += len(data)
        return data

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(os, "read", read)
    os.write(into, b"type,envId\r\n" + b"d,m\r\n" * 5_000)
    pipe = Pipe(tmp_path / "acct.csv", largest=10**9, kept=1e6, ended=threading.Event())

    def feed() -> None:
        with os.fdopen(into, "wb") as file:
            file.write(b"d,m\r\n" * 20_000)

    feeding = threading.Thread(target=feed)
    feeding.start()
    pipe.run(out, lambda: None)
    feeding.join()
    os.close(out)
    assert taken == synced == len(b"type,envId\r\n") + 5 * 25_000
