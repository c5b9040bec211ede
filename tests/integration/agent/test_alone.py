"""What agents do that have nobody to ship to, or that are not alone."""

import asyncio
import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from control.accounting.shipment import LOOK
from control.agent.memory import seconds
from control.parts import Parts
from tests.faults.proxy import Proxy
from tests.support.control.agents import MakeAgent
from tests.support.control.answering import Reply, answering
from tests.support.control.core import Api
from tests.support.control.shipped import HEADER, MakeMail, all_there, lines, record, until


async def test_an_agent_comes_back_no_sooner_than_control_asks(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    """Longer than its own longest wait, which is a second here."""
    (tmp_path / "pmta").mkdir()
    async with answering(Reply(503, {"Retry-After": "3"})) as control:
        make_agent(control.url, tmp_path / "pmta" / "acct.csv").start()

        async def again() -> bool:
            return len(control.asked[LOOK]) >= 2

        await until(again)
        first, second, *_ = control.asked[LOOK]
        assert second - first >= 3.0


async def test_the_folder_is_looked_at_however_often_control_is_tried(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    """A second apart here, which is sooner than the folder is looked at."""
    mail = make_mail(22)
    mail.write(20)
    async with Proxy("127.0.0.1", urlsplit(api.url).port or 0) as way:
        agent = make_agent(f"http://127.0.0.1:{way.port}", mail.path)
        agent.start()
        await all_there(core, mail)
        way.refusing = True
        way.cut()

        async def away() -> bool:
            return "control does not answer" in agent.said

        await until(away)
        since = seconds()
        await asyncio.sleep(6.5)
        assert await agent.stop() == 0
        assert json.loads((agent.state / "position.json").read_text())["looked"] > since


async def test_a_second_agent_of_the_same_folder_ships_nothing(
    core: Parts, api: Api, make_agent: MakeAgent, make_mail: MakeMail
) -> None:
    mail = make_mail(21)
    mail.write(20)
    agent = make_agent(api.url, mail.path)
    agent.start()
    await all_there(core, mail)
    second = make_agent(api.url, mail.path, state=str(agent.state))
    second.start()
    assert second.process is not None
    assert await asyncio.to_thread(second.process.wait, 20) == 1
    assert "another agent ships" in second.said
    mail.write(20)
    await all_there(core, mail)
    assert await agent.stop() == 0


async def test_what_ships_for_a_pipe_ends_with_it_however_it_ends(
    make_agent: MakeAgent, tmp_path: Path
) -> None:
    """Else it would hold the lock, and nobody would look after it."""
    folder = tmp_path / "pipe"
    folder.mkdir()
    async with answering(Reply(503)) as control:
        agent = make_agent(control.url, folder / "acct.csv")
        agent.start("--pipe", stdin=subprocess.PIPE)
        assert agent.process is not None
        assert agent.process.stdin is not None
        agent.process.stdin.write(HEADER + lines([record("d", "message1")]))
        agent.process.stdin.flush()

        async def asked() -> bool:
            return bool(control.asked[LOOK])

        await until(asked)
        (child,) = _children(agent.process.pid)
        agent.kill()

        async def gone() -> bool:
            return not _runs(child)

        await until(gone)


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(number) for number in text.split()]


def _runs(process: int) -> bool:
    """One that ended and that nobody waited for does not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
