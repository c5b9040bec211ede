"""Held mail is released, dropped and put back from the console's page while its processes are
killed: nothing is lost, nothing goes twice, and the page's numbers are PowerMTA's.

`--fault-scale 25` is ten thousand messages."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from control.parts import open_parts
from tests.faults.books import Quota
from tests.faults.conftest import Begin
from tests.faults.scenario import PROBES, Scenario
from tests.faults.stack import AMPLE, Stack
from tests.support.control.browsing import Browser, Seen
from tests.support.control.people import PASSWORD, invited

SCARCE = {"vmta-small": Quota(10, {"gmail": 5}), "vmta-large": Quota(40, {"gmail": 10})}
MANY = 400
HOLD = {"claim": 32}
"""Few claims at a time: a releaser that dies leaves its claims in doubt."""
HOUR = 3_600_000


@dataclass
class _Asking:
    """As much of a client of the API as a browser needs."""

    url: str
    session: aiohttp.ClientSession


@contextlib.asynccontextmanager
async def operator(stack: Stack) -> AsyncIterator[Browser]:
    """Somebody at the console of this stack."""
    async with open_parts(stack.settings, movable_clock=True) as core:
        link = await invited(core, "anna", "operator")
    url = f"http://127.0.0.1:{stack.api}"
    async with aiohttp.ClientSession() as session:
        body = {"link": link, "password": PASSWORD}
        async with session.post(f"{url}/api/v1/auth/link", json=body) as answer:
            assert answer.status == 200, await answer.text()
        browser = Browser(_Asking(url, session))  # type: ignore[arg-type]
        assert (await browser.sign_in("anna")).status == 303
        yield browser


async def waiting(begin: Begin, scale: int, name: str, **hold: int) -> Scenario:
    """A hold full of mail that waits for itself, as after a failure: nothing of it goes until
    somebody releases it. `hold`: settings."""
    # Long runs lie on the disk: what it does not keep in time is deferred, which is not meant here.
    load = {"rate": 400.0 if scale == 1 else 100.0}
    scenario = await begin(name, quotas=SCARCE, load=load, control=True, hold={**HOLD, **hold})
    while missing := MANY * scale - sum(o.acknowledged for o in scenario.load.offers):
        await scenario.load.send(missing, patience=60.0 * scale)
    await scenario.settle()
    now, _ = await scenario.stack.ledger.now()
    await scenario.stack.postgres.execute(
        "UPDATE held SET waiting = true, due = $1, reason = 'failed' WHERE state = 'held'",
        now + 6 * HOUR,
    )
    return scenario


async def asked(anna: Browser, action: str) -> int:
    """The form of the page, looked at first; which request it became."""
    form = {"do": "order", "action": action, "tenant": "acme"}
    tried = await anna.post("/held", form)
    assert "match now" in tried.words, tried.words
    done = await anna.post("/held", form | {"sure": "1"})
    assert done.status == 303, done.words
    said = (await anna.at_once("/held")).words
    found = re.search(r"Asked for as request (\d+)", said)
    assert found is not None, said[:500]
    return int(found[1])


async def shown(anna: Browser) -> int:
    """Messages that wait, as the page counts them now: the look of a moment ago is not meant."""
    await asyncio.sleep(1.5)
    page: Seen = await anna.get("/held")
    found = re.search(r"Messages ([\d,]+)", page.words)
    assert found is not None, page.words[:500]
    return int(found[1].replace(",", ""))


class Killing:
    """Ends processes with SIGKILL at random moments, and starts them again."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._stack = scenario.stack
        self._scenario = scenario
        self._random = random.Random(seed)
        self.done: list[str] = []

    async def times(self, count: int) -> None:
        """Each part by turns, each time a while after the last one came up."""
        parts = ["releaser", "control", "gateway"]
        for turn in range(count):
            await asyncio.sleep(self._random.uniform(0.0, 0.4))
            await getattr(self, f"_{parts[turn % len(parts)]}")()
            self.done.append(parts[turn % len(parts)])

    async def _releaser(self) -> None:
        gateway = self._stack.gateway
        [victim] = await self._scenario.until(gateway.releasers, "a releaser runs")
        gateway.kill(victim)

    async def _control(self) -> None:
        self._stack.control.kill()
        await self._stack.control.start()

    async def _gateway(self) -> None:
        self._stack.gateway.kill_all()
        await self._stack.gateway.restart()


async def over(stack: Stack, number: int, *states: str) -> None:
    """Until that request is in one of these."""
    named = ", ".join(f"'{state}'" for state in states)
    look = f"SELECT count(*) FROM hold_request WHERE id = {number} AND state IN ({named})"
    async with asyncio.timeout(120):
        while not await stack.postgres.number(look):
            await asyncio.sleep(0.1)


async def no_doubt(scenario: Scenario) -> None:
    """Until what was in the hands of those who died is known to have gone, or not."""
    for _ in range(PROBES):
        if await scenario.none_waits("claimed", "doubt", patience=6.0):
            return
        gap = scenario.stack.settings_of_gateway.hold.probe_gap + 60
        await scenario.stack.advance(gap / 86_400)
    assert await scenario.none_waits("claimed", "doubt", patience=30.0), scenario.waiting()


async def test_what_is_released_from_the_page_goes_once_or_waits_under_kill_9(
    begin: Begin, scale: int
) -> None:
    """Less may go than is released: what the IPs do not carry today waits."""
    scenario = await waiting(begin, scale, "kill -9 while the page's release runs")
    stack = scenario.stack
    await stack.pmta.fault(reply_delay=0.01)
    large = Quota(200 * scale)
    await stack.raise_quotas(vmta_small=Quota(20 * scale), vmta_large=large)
    async with operator(stack) as anna:
        assert await shown(anna) == len([r for r in scenario.rows if r.state == "held"])
        number = await asked(anna, "release")
        killing = Killing(scenario, scale)
        await killing.times(6)
        scenario.fault_ends()
        await over(stack, number, "open", "done")
        await no_doubt(scenario)
        found = await scenario.books()
        assert not found.problems, found.problems
        assert found.acknowledged == MANY * scale == found.delivered + found.held
        assert found.delivered > len(killing.done), "some went while parts died"
        assert await shown(anna) == found.held, "the page counts what PowerMTA has not"
        print(
            f"\n{found.acknowledged} acknowledged, kill -9 of {', '.join(killing.done)}: "
            f"{found.delivered} went once, {found.held} wait, 0 lost, 0 twice, above a quota: 0"
        )
    await scenario.close()


async def test_a_release_that_is_undone_stops_what_has_not_gone_under_kill_9(
    begin: Begin, scale: int
) -> None:
    scenario = await waiting(begin, scale, "kill -9 while a release is undone", concurrent=8)
    stack = scenario.stack
    # Some forty a second: most of it is here still when somebody thinks better of it.
    await stack.pmta.fault(reply_delay=0.2)
    await stack.raise_quotas(vmta_small=Quota(AMPLE), vmta_large=Quota(AMPLE))
    async with operator(stack) as anna:
        number = await asked(anna, "release")
        before = len(stack.pmta.receipts.read())
        receipts = stack.pmta.receipts
        await scenario.until(lambda: len(receipts.read()) > before + 20, "some went", 60.0)
        undone = await anna.post("/held", {"do": "undo", "request": str(number)})
        assert undone.status == 303, undone.words
        await Killing(scenario, scale).times(3)
        scenario.fault_ends()
        await over(stack, number, "undone")
        await no_doubt(scenario)
        found = await scenario.books()
        assert not found.problems, found.problems
        assert found.acknowledged == MANY * scale == found.delivered + found.held
        assert await shown(anna) == found.held > 0
        waits = "SELECT count(*) FROM held WHERE state = 'held' AND waiting"
        assert await stack.postgres.number(waits) == found.held, "each as before"
        assert await stack.postgres.number("SELECT count(*) FROM hold_marked") == 0
        await stack.pmta.fault(reply_delay=0.0)
        await asked(anna, "release")
    await scenario.close()


async def test_a_drop_that_is_undone_leaves_the_hold_as_it_was_under_kill_9(
    begin: Begin, scale: int
) -> None:
    scenario = await waiting(begin, scale, "kill -9 while a drop is undone")
    stack = scenario.stack
    all_of_it = (
        "SELECT hashtext(string_agg(to_jsonb(held)::text - 'readied', '' ORDER BY id))::bigint "
        "FROM (SELECT * FROM held WHERE state = 'held') held"
    ).replace("to_jsonb(held)::text - 'readied'", "(to_jsonb(held) - 'readied')::text")
    before = await stack.postgres.number(all_of_it)
    async with operator(stack) as anna:
        many = await shown(anna)
        number = await asked(anna, "drop")
        await Killing(scenario, scale).times(3)
        await over(stack, number, "open")
        assert await stack.postgres.number(all_of_it) != before
        assert await shown(anna) == many, "it waits until it is gone for good"
        undone = await anna.post("/held", {"do": "undo", "request": str(number)})
        assert undone.status == 303, undone.words
        await Killing(scenario, scale + 1).times(3)
        scenario.fault_ends()
        await over(stack, number, "undone")
        assert await stack.postgres.number(all_of_it) == before
        assert await shown(anna) == many
        await asked(anna, "release")
    await scenario.close()
