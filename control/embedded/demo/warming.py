"""The demo's week: an IP that warms up takes a stage that it has earned, and bounces pause it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from control.embedded.demo.mail import Mail
from control.parts import Parts
from control.plan.rows import of_tenants
from control.sources import domain, ip
from control.sources.domain import NewDomain
from control.sources.ip import IpChange
from control.store.change import Act

IP = "203.0.113.30"
TENANT, DOMAIN, POOL = "demo-acme", "fresh.demo-acme.example", "demo-acme-fresh"
DAYS = 7
A_DAY = 26
"""Just over half of the first stage's 50: a day that counts."""
BOUNCES = 13
"""Of the day after; far more than a healthy IP shows."""
PATIENCE = 30.0
_LOOK = 0.2
WHO = "sendgate demo"


class Decided(msgspec.Struct, frozen=True):
    """As the API answers (other fields are ignored)."""

    at: str
    act: str
    sentence: str
    provider: str = ""
    stage_after: int | None = None
    quota_after: int | None = None
    state_after: str = ""


class Stack(Protocol):
    """What the week needs of the demo."""

    async def send(self, mails: list[Mail]) -> list[str]:
        """Sends; what was not answered 250."""

    async def told(self, ip: str, count: int) -> None:
        """Waits until PowerMTA told the end of so many of today's recipients of an IP."""

    async def next_day(self) -> None:
        """Moves the clock."""

    async def decided(self, ip: str) -> list[Decided]:
        """What was decided of an IP since the demo began, the newest first."""


async def prepare(core: Parts) -> None:
    """A fresh IP on the default plan; one of an earlier demo starts anew."""
    warmup = core.settings.warmup

    async def act(a: Act) -> None:
        rows = await of_tenants(a.connection, [TENANT])
        if DOMAIN not in {row.domain for row in rows.domains}:
            new = NewDomain(tenant=TENANT, domain=DOMAIN, ip=IP, pool=POOL, hourly_share=1.0)
            await domain.add(a, new, seal=core.seal, warmup=warmup)
        else:
            again = IpChange(state="resume", stage=1, reason="demo")
            await ip.change(a, IP, again, warmup=warmup)

    await core.publisher.change(WHO, act)


def mails(first: int, count: int, bounces: int = 0) -> list[Mail]:
    """Of one day; the first `bounces` have no mailbox."""
    return [
        Mail(
            tenant=TENANT,
            domain=DOMAIN,
            to=f"{'bounce+fresh' if n < bounces else 'fresh'}{first + n}@company.example",
            number=first + n,
        )
        for n in range(count)
    ]


async def week(stack: Stack, first: int) -> tuple[list[Decided], list[str]]:
    """Seven days of good mail, and one of bad; what was decided, the oldest first, and what is not
    as it should be."""
    wrong: list[str] = []
    for day in range(DAYS):
        wrong += await stack.send(mails(first + day * A_DAY, A_DAY))
        await stack.told(IP, A_DAY)
        await stack.next_day()
    earned = await _wait(stack, lambda found: found.act == "advance")
    wrong += await stack.send(mails(first + DAYS * A_DAY, A_DAY, bounces=BOUNCES))
    paused = await _wait(stack, lambda found: found.act == "pause")
    if earned is None or earned.stage_after != 2:
        wrong.append(f"{IP}: seven good days should have earned stage 2")
    if paused is None or paused.state_after != "paused":
        wrong.append(f"{IP}: {BOUNCES} bounces of {A_DAY} should have paused it")
    return [found for found in (earned, paused) if found is not None], wrong


async def _wait(stack: Stack, right: Callable[[Decided], bool]) -> Decided | None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        found = await stack.decided(IP)
        for one in found:
            if not one.provider and right(one):
                return one
        if loop.time() > deadline:
            return None
        await asyncio.sleep(_LOOK)
