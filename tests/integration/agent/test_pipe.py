"""The agent behind PowerMTA's pipe: written and synced first, shipped behind that."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from control.parts import Parts
from tests.support.control.agents import Agent, MakeAgent
from tests.support.control.core import Api
from tests.support.control.shipped import HEADER, counts, lines, record, stream, until


def text(first: int, count: int) -> bytes:
    """So many records as PowerMTA writes them into a pipe."""
    return lines(record("d", f"message{number:05}") for number in range(first, first + count))


def write(agent: Agent, octets: bytes) -> None:
    assert agent.process is not None
    assert agent.process.stdin is not None
    agent.process.stdin.write(octets)
    agent.process.stdin.flush()


async def counted(core: Parts, records: int) -> None:
    async def there() -> bool:
        return (await counts(core)).get("d") == (records, 0)

    await until(there)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pipe"
    made.mkdir()
    return made


async def test_records_of_a_pipe_are_written_in_files_and_shipped(
    core: Parts, api: Api, make_agent: MakeAgent, folder: Path
) -> None:
    agent = make_agent(api.url, folder / "acct.csv", pipe_largest=65_536)
    agent.start("--pipe", stdin=subprocess.PIPE)
    write(agent, HEADER)
    for part in range(10):
        write(agent, text(part * 100, 100))
        await asyncio.sleep(0.02)
    await counted(core, 1_000)
    files = sorted(folder.glob("acct-*.csv"))
    assert len(files) > 1
    assert all(file.read_bytes().startswith(HEADER) for file in files)
    assert b"".join(file.read_bytes().removeprefix(HEADER) for file in files) == text(0, 1_000)
    assert (await stream(core))["gap"] == ""
    # The pipe ends, as at a reload, and another program is started: nobody read meanwhile.
    await asyncio.to_thread(agent.hang_up)
    agent.start("--pipe", stdin=subprocess.PIPE)
    write(agent, HEADER + text(1_000, 10))
    await counted(core, 1_010)
    assert "is missing" in (await stream(core))["gap"]
    await asyncio.to_thread(agent.hang_up)


async def test_a_full_disk_holds_powermta_up_and_loses_nothing(
    core: Parts, api: Api, make_agent: MakeAgent, folder: Path
) -> None:
    agent = make_agent(api.url, folder / "acct.csv")
    agent.start("--pipe", stdin=subprocess.PIPE)
    write(agent, HEADER + text(0, 10))
    await counted(core, 10)
    agent.disk(20_000)
    feeding = asyncio.create_task(asyncio.to_thread(write, agent, text(10, 2_000)))
    await until(lambda: asyncio.sleep(0, "PowerMTA waits" in agent.said))
    done, _ = await asyncio.wait({feeding}, timeout=0.5)
    assert not done, "the pipe is read on into memory"
    agent.disk(-1)
    await feeding
    await counted(core, 2_010)
    assert agent.said.count("PowerMTA waits") == 1
    await asyncio.to_thread(agent.hang_up)


async def test_a_pipe_program_that_is_killed_has_synced_what_it_read(
    core: Parts, api: Api, make_agent: MakeAgent, folder: Path
) -> None:
    agent = make_agent(api.url, folder / "acct.csv")
    agent.start("--pipe", stdin=subprocess.PIPE)
    write(agent, HEADER + text(0, 100))
    await counted(core, 100)
    agent.kill()
    agent.start("--pipe", stdin=subprocess.PIPE)
    write(agent, HEADER + text(100, 100))
    await counted(core, 200)
    assert "is missing" in (await stream(core))["gap"]
    await asyncio.to_thread(agent.hang_up)
