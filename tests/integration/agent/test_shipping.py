"""The agent ships what PowerMTA writes: every record once, in order, whatever ends whom."""

import asyncio

from control.parts import Parts
from tests.support.control.agents import MakeAgent
from tests.support.control.core import Api
from tests.support.control.shipped import MakeMail, all_there, counts, stream, until


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
