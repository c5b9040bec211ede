"""Control away, the network dark, the disk full, the machine's day turning: nothing is lost."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from control.parts import Parts
from tests.faults.proxy import Proxy
from tests.support.control.agents import MakeAgent
from tests.support.control.core import Api
from tests.support.control.shipped import (
    HEADER,
    MakeMail,
    all_there,
    counts,
    lines,
    record,
    stream,
    until,
)

MEMORY = 64 * 1_048_576


async def test_days_without_a_network_wait_in_the_files_and_not_in_memory(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(11)
    mail.write(50)
    async with Proxy("127.0.0.1", urlsplit(api.url).port or 0) as way:
        agent = make_agent(f"http://127.0.0.1:{way.port}", mail.path)
        agent.start()
        await all_there(core, mail)
        way.refusing = True
        way.cut()
        for number in range(4):
            mail.write(2_000, rotate=0.01)
            await asyncio.sleep(0.3)
            assert agent.peak < MEMORY
            if number == 1:
                agent.kill()
                agent.start()
                await asyncio.sleep(0.5)
        assert agent.said.count("control does not answer") <= 3, "said once, not at each try"
        way.refusing = False
        await all_there(core, mail, within=90)
        assert agent.peak < MEMORY


async def test_an_answer_that_is_lost_counts_nothing_twice(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(12)
    async with Proxy("127.0.0.1", urlsplit(api.url).port or 0) as way:
        make_agent(f"http://127.0.0.1:{way.port}", mail.path, batch=40).start()
        for _ in range(25):
            mail.write(40)
            await asyncio.sleep(0.06)
            way.cut()
        await all_there(core, mail)
    assert {again for _, again in (await counts(core)).values()} == {0}


@pytest.mark.parametrize("meanwhile", ["watched", "away for a minute", "the machine started anew"])
async def test_a_day_that_turned_while_control_was_away_is_proved_by_having_watched(
    core: Parts, api: Api, make_agent: MakeAgent, tmp_path: Path, meanwhile: str
) -> None:
    folder = tmp_path / "pmta"
    folder.mkdir()
    first, next_day = (folder / f"acct-2026-03-0{day}-0001.csv" for day in (1, 2))
    first.write_bytes(HEADER + lines([record("d", "message1")]))
    async with Proxy("127.0.0.1", urlsplit(api.url).port or 0) as way:
        agent = make_agent(f"http://127.0.0.1:{way.port}", folder / "acct.csv")
        agent.start()

        async def read(records: int) -> bool:
            row = await stream(core)
            return row is not None and row["records"] == records

        await until(lambda: read(1))
        with first.open("ab") as file:
            # Seen to grow: it is the one that is written.
            file.write(lines([record("d", "message2")]))
        await until(lambda: read(2))
        # First the agent, then the line: an answer that is lost makes control tell it, when it is
        # back, how long ago it had looked.
        await agent.stop()
        way.refusing = True
        way.cut()
        if meanwhile != "watched":
            kept = json.loads((agent.state / "position.json").read_text())
            if meanwhile == "away for a minute":
                kept["looked"] -= 61.0
            else:
                kept["boot"] = "another"
            (agent.state / "position.json").write_text(json.dumps(kept))
        agent.start()
        await asyncio.sleep(0.6)
        next_day.write_bytes(HEADER + lines([record("d", "message3")]))
        await asyncio.sleep(6.0)
        way.refusing = False
        await until(lambda: read(3))
    row = await stream(core)
    assert ("nobody watched" in row["gap"]) is (meanwhile != "watched"), row["gap"]


async def test_a_full_disk_costs_the_agent_its_memory_and_no_record(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(13)
    agent = make_agent(api.url, mail.path)
    mail.write(50)
    agent.start()
    await all_there(core, mail)
    agent.disk(1_200)
    mail.write(200)
    await all_there(core, mail)
    # Control has the records before the agent has its answer.
    await until(lambda: asyncio.sleep(0, "cannot remember the position" in agent.said))
    kept = json.loads((agent.state / "position.json").read_text())
    assert not list(agent.state.glob("*.new"))
    agent.kill()
    mail.write(50)
    agent.start()
    await all_there(core, mail)
    assert kept["turn"] < json.loads((agent.state / "position.json").read_text())["turn"]


async def test_what_comes_by_webhook_too_counts_once(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(14)
    mail.write(120, rotate=0)
    task = asyncio.create_task(core.intake.inbox.run())
    make_agent(api.url, mail.path).start()
    [file] = mail.path.parent.glob("acct-*.csv")
    status, _ = await api("POST", "/api/v2/powermta/accounting?server=pmta1", raw=file.read_bytes())
    assert status == 200

    async def both() -> bool:
        found = await counts(core)
        return all(found.get(kind) == (n, n) for kind, n in mail.records.items())

    await until(both)
    task.cancel()
