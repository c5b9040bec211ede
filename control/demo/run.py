"""`sendgate demo`: the main job, end to end, on the real parts, judged by a second reading of
the policy. Exit code 0 only when PowerMTA received exactly what the policy says."""

import asyncio
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec

from control.clock import ClockMove
from control.demo.expect import Expected
from control.demo.judge import Taken, differences, expected
from control.demo.mail import Mail, first_day
from control.demo.report import Report
from control.demo.send import Reply, send_all
from control.demo.table import IPS, PASSWORDS
from control.problem import RefusedError
from control.stack.options import Options
from control.stack.stack import Running, stack


async def run(data_dir: Path | None, *, as_json: bool) -> int:
    """`data_dir` None takes a temporary one."""
    report = Report(as_json=as_json)
    with tempfile.TemporaryDirectory(prefix="sendgate-demo-") as temporary:
        options = Options(
            data_dir=data_dir or Path(temporary) / "stack",
            smtp_port=0,
            api_port=0,
            standin_port=0,
            isolated=True,
        )
        report.step("starting Valkey, PostgreSQL, the PowerMTA stand-in, control and gateway")
        async with stack(options) as running:
            found = await _days(running, report)
    report.verdict(found)
    for text in found:
        print(f"sendgate: {text}", file=sys.stderr, flush=True)
    return 1 if found else 0


async def _days(running: Running, report: Report) -> list[str]:
    where = running.addresses
    report.step(f"gateway at {where.smtp}, API at {where.api}, PowerMTA stand-in at {where.pmta}")
    start = await _noon(running)
    mails = first_day()
    report.step(f"{start:%A %d %B %Y}, {len(mails)} messages for two tenants")
    found, waiting = await _day(running, report, "day one", mails)
    report.step("moving the clock one day: every quota opens again")
    await running.core.clock.move(ClockMove(advance="1d"))
    # A gateway may repeat a denial without asking for this long; a bound, not a guess.
    await asyncio.sleep(running.core.settings.ledger.denial_cache)
    again, still = await _day(running, report, "day two", waiting)
    return found + again + [f"{mail.to}: still deferred on day two" for mail in still]


async def _noon(running: Running) -> datetime:
    """Go to the next day's noon, on which nothing has been sent and no midnight comes by."""
    now = datetime.fromisoformat((await running.core.clock.show()).now).astimezone(UTC)
    noon = (now + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    await running.core.clock.move(ClockMove(set=noon.isoformat()))
    return noon


async def _day(
    running: Running, report: Report, title: str, mails: list[Mail]
) -> tuple[list[str], list[Mail]]:
    """Send a day's mail and judge it. Returns (differences, what was deferred)."""
    before = len(await _taken(running))
    groups = [[mail for mail in mails if mail.tenant == tenant] for tenant in PASSWORDS]
    sent = await asyncio.gather(
        *(asyncio.to_thread(send_all, running.addresses.smtp, group) for group in groups)
    )
    replies: list[Reply] = [reply for group in sent for reply in group]
    taken = (await _taken(running))[before:]
    _, usage = await running.core.admin.usage([row.ip for row in IPS])
    ledger = {ip: counted.relayed for ip, counted in usage.items()}
    policy: dict[int, Expected] = expected(mails)
    recipients = Counter(m.vmta for m in taken for _ in m.rcpts)
    report.day(title, mails, policy, replies, recipients, ledger)
    waiting = {reply.mail.number for reply in replies if reply.code != 250}
    return (
        differences(mails, policy, replies, taken, ledger),
        [mail for mail in mails if mail.number in waiting],
    )


async def _taken(running: Running) -> list[Taken]:
    assert running.standin is not None
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{running.standin.url}/messages", params={"limit": "100000"}) as response,
    ):
        if response.status != 200:
            raise RefusedError(f"the stand-in answers {response.status}")
        return msgspec.json.decode(await response.read(), type=list[Taken])
