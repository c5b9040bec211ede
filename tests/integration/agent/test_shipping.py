"""The agent ships what PowerMTA writes: every record once, in order, whatever ends whom."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from control.parts import Parts, open_parts
from tests.faults.proxy import Proxy
from tests.support.control.agents import MakeAgent
from tests.support.control.core import Api, api_of
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


async def test_growing_and_rotated_files_are_shipped_and_their_receipts_prove(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(1)
    mail.write(300)
    make_agent(api.url, mail.path).start()
    for _ in range(10):
        mail.write(20)
        await asyncio.sleep(0.05)
    await all_there(core, mail)
    assert {again for _, again in (await counts(core)).values()} == {0}
    status, found = await api("GET", "/api/v2/accounting")
    assert status == 200
    assert [(s["server"], s["agent"], s["behind"], s["problem"]) for s in found] == [
        ("pmta1", "host1", 0, "")
    ]
    row = await stream(core)
    assert row["read_at"] > 0


async def test_an_agent_that_is_killed_again_and_again_ships_each_record_once(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(2)
    agent = make_agent(api.url, mail.path, batch=50)
    for lifetime in (0.25, 0.3, 0.35, 0.5, 0.7):
        mail.write(150)
        agent.start()
        await asyncio.sleep(lifetime)
        mail.write(50)
        agent.kill()
        mail.write(50)
    agent.start()
    await all_there(core, mail)
    assert await agent.stop() == 0


async def test_a_position_that_is_lost_or_older_than_controls_costs_nothing(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(3)
    agent = make_agent(api.url, mail.path)
    mail.write(100)
    agent.start()
    await all_there(core, mail)
    await agent.stop()
    kept = agent.state / "position.json"
    old = kept.read_bytes()
    mail.write(100)
    agent.start()
    await all_there(core, mail)
    await agent.stop()
    for content in (old, b"{half", None):
        kept.unlink() if content is None else kept.write_bytes(content)
        mail.write(30)
        agent.start()
        await all_there(core, mail)
        await agent.stop()


async def test_a_file_that_is_cut_off_or_written_anew_is_a_gap_and_counts_once(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(4)
    mail.write(40, rotate=0)
    make_agent(api.url, mail.path).start()
    await all_there(core, mail)
    file = next(mail.path.parent.glob("acct-*.csv"))
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])

    async def told() -> bool:
        return "was cut off or written anew" in (await stream(core))["gap"]

    await until(told)
    file.write_bytes(content)
    mail.write(40, rotate=0)

    async def whole() -> bool:
        return {kind: n for kind, (n, _) in (await counts(core)).items()} == mail.records

    await until(whole)


async def test_equal_records_count_twice_though_control_was_started_anew_between_them(
    core: Parts, api: Api, make_agent: MakeAgent, tmp_path: Path
) -> None:
    """It asks for what stood before, to know that the second is no repetition of the first."""
    folder = tmp_path / "pmta"
    folder.mkdir()
    file = folder / "acct-2026-03-01-0001.csv"
    twin = lines([record("d", "message1")])

    async def counted(number: int) -> bool:
        row = await stream(core)
        return row is not None and row["records"] == number

    async with (
        Proxy("127.0.0.1", urlsplit(api.url).port or 0) as way,
        open_parts(core.settings, movable_clock=True) as started,
        api_of(started) as anew,
    ):
        file.write_bytes(HEADER + twin)
        make_agent(f"http://127.0.0.1:{way.port}", folder / "acct.csv").start()
        await until(lambda: counted(1))
        way.lead_to(urlsplit(anew.url).port or 0)
        way.cut()
        with file.open("ab") as growing:
            growing.write(twin)
        await until(lambda: counted(2))
    assert await counts(core) == {"d": (2, 0)}
