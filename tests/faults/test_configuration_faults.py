"""PowerMTA's configuration changes under load, by its agent: new IPs, lines of the operator, IPs
that leave. Nothing is lost, and nothing goes to a VirtualMTA that PowerMTA does not know."""

import asyncio
import time
from pathlib import Path

from control.parts import Parts, open_parts
from control.pmta import own
from control.pmta.fileset import MAIN
from control.pmta.own import NewOwnLines
from control.sources import domain, ip
from control.sources.domain import NewDomain
from control.sources.ip import IpChange
from control.store.change import Act
from control.users.token import put
from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.stack import AMPLE, Stack
from tests.support.control.agents import Agent
from tests.support.control.core import TOKEN
from tests.support.pmta.webcommand import web_command


async def following(stack: Stack, folder: Path) -> Agent:
    """An agent that brings configurations into force, and runs the first one."""
    async with open_parts(stack.settings, movable_clock=True) as core:

        async def act(a: Act) -> None:
            await put(a, "host1", TOKEN, role="agent")

        await core.publisher.change("test", act)
    place = folder / "sendgate"
    agent = Agent(
        folder / "agent",
        f"http://127.0.0.1:{stack.api}",
        stack.pmta.stream,
        pmta=str(web_command(folder / "pmta-command", stack.pmta.url)),
        configuration=str(place),
        group="",
        offer_wait=5.0,
        again_first=1.0,
        status_every=1.0,
        verify_wait=5.0,
    )
    place.mkdir()
    (folder / "pmta.conf").write_text(f"include {place / MAIN}\n")
    agent.start(module="control.agent.applying")
    async with open_parts(stack.settings, movable_clock=True) as core:
        until = time.monotonic() + 30
        while not await core.pool.fetchval(
            "SELECT count(*) FROM pmta_agent WHERE (body ->> 'running')::int > 0"
        ):
            assert time.monotonic() < until, agent.said
            await core.publisher.reconcile()
            await asyncio.sleep(0.1)
    return agent


async def changed(core: Parts, number: int, quotas: dict[str, Quota]) -> None:
    """A new IP in the pool that carries the load, lines of its own, and the one before leaves."""
    address, vmta = f"192.0.2.{number}", f"vmta-more-{number}"
    warmup = core.settings.warmup
    quotas[vmta] = Quota(AMPLE)

    async def more(a: Act) -> None:
        new = NewDomain(
            tenant="acme", domain="acme.test", ip=address, vmta=vmta, quota=str(AMPLE),
            hourly_share=1.0,
        )  # fmt: skip
        await domain.add(a, new, seal=core.seal, warmup=warmup)

    async def lines(a: Act) -> None:
        await own.put(
            a, vmta, NewOwnLines(lines=f"<domain a{number}.test>\nmax-smtp-out 2\n</domain>")
        )

    async def less(a: Act) -> None:
        await ip.change(a, f"192.0.2.{number - 1}", IpChange(state="retire"), warmup=warmup)

    await core.publisher.change("test", more)
    await core.publisher.change("test", lines)
    if number > 10:
        await core.publisher.change("test", less)


async def test_mail_goes_on_while_the_configuration_changes(
    begin: Begin, scale: int, folder: Path
) -> None:
    scenario = await begin("PowerMTA's configuration changes all the time", control=True)
    stack = scenario.stack
    await stack.raise_quotas(vmta_small=Quota(AMPLE), vmta_large=Quota(AMPLE))
    agent = await following(stack, folder)
    try:
        scenario.load.start()
        await scenario.load.until_offered(50)
        async with open_parts(stack.settings, movable_clock=True) as core:
            for number in range(10, 14 + scale):
                await changed(core, number, stack.quotas)
                last = len(scenario.load.offers)
                await scenario.load.until_offered(last + 50)
        scenario.fault_ends()
        await scenario.flows_again()
        await scenario.close()
    finally:
        agent.close()
    used = {receipt.vmta for receipt in stack.pmta.receipts.all}
    assert {f"vmta-more-{number}" for number in range(10, 14)} <= used
    unknown = [line for line in stack.gateway.log_lines() if "5.5.0" in str(line)]
    assert not unknown
    failed = (
        "SELECT count(*) FROM held WHERE failures > 0 OR (state = 'done' AND ending <> 'relayed')"
    )
    assert await stack.postgres.number(failed) == 0
    assert await stack.postgres.number("SELECT count(*) FROM pmta_version") >= 8
