"""Looks at DNS for keys that are to take over, and takes each rotation its next stage.

Rule: a new key signs only when every resolver shows it in this very look, and has done so for
`dns.rotation_seen`. One that shows another record, or none, begins that time anew; one that does
not answer puts the switch off and nothing else. What is not seen within `dns.rotation_patience` is
an alert, and never switched.
Failure: a change that is refused (PowerMTA does not take the configuration) is an alert, and tried
again at the next look. A look that is repeated finds the stage taken and does nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from control.alerts.alert import Raised, event, settle
from control.plan.publish import Publisher
from control.problem import RefusedError
from control.published.asking import Questions, Servers
from control.published.dkim import judge
from control.rotation import stages
from control.sources.dns import dkim_name
from control.store.change import Act
from policy.isotime import instant
from settings.dns import Dns

WHO = "rotation"
"""In the audit log."""
SOURCE = "dkim"
"""Of its alerts."""
MOST = 100
"""Changes that one look makes, each with a plan of its own; the next look makes the others."""


class Rotating(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation as a look finds it; times in calendar milliseconds."""

    tenant: str
    domain: str
    selector: str
    """Of the other key: the new one until it signs, then the former one."""
    public: str
    began: int
    seen: int | None
    switched: int | None
    dkim_selector: str
    """Of the key that signs."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the resolvers say of a new key."""

    everywhere: bool = False
    absent: bool = False
    """One of them says that it is not there, or shows another record."""
    said: str


class RotationLook:
    """Of one control node. `signs`: whether PowerMTA is given keys at all (control.pmta_keys);
    `over_after`: as `alert.settle` has it, milliseconds."""

    def __init__(
        self,
        pool: Any,
        publisher: Publisher,
        servers: Servers,
        settings: Dns,
        calendar: Callable[[], Awaitable[int]],
        *,
        signs: bool,
        over_after: int,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._servers = servers
        self._settings = settings
        self._calendar = calendar
        self._signs = signs
        self._over_after = over_after

    async def __call__(self) -> str:
        """One look; in a sentence, what it did. Raises asyncpg's errors."""
        rows = await self._pool.fetch(stages.SQL["all"])
        found = [msgspec.convert(dict(row), Rotating) for row in rows]
        waiting = [one for one in found if one.switched is None]
        resolvers = self._servers.separately() if waiting else []
        seen = await asyncio.gather(*(_seen(one, resolvers) for one in waiting))
        now = await self._calendar()
        raised: list[Raised] = []
        done: list[str] = []
        for one, shown in zip(waiting, seen, strict=True):
            done += await self._waiting(one, shown, now, raised, len(done) < MOST)
        for one in found:
            if one.switched is not None:
                done += await self._former(one, now, raised, len(done) < MOST)
        async with self._pool.acquire() as connection, connection.transaction():
            await settle(connection, now, SOURCE, raised, over_after=self._over_after)
        return f"keys being replaced: {len(found)}" + "".join(f"; {text}" for text in done)

    async def _waiting(
        self, one: Rotating, shown: Seen, now: int, raised: list[Raised], may: bool
    ) -> list[str]:
        """One whose new key does not sign yet; what was done."""
        since = one.seen
        if shown.absent:
            since = None
        elif shown.everywhere and since is None:
            since = now
        said = shown.said
        due = None if since is None else since + round(self._settings.rotation_seen * 1000)
        if shown.everywhere and due is not None and now < due:
            said = f"{said}; it signs from {instant(due)} on, if that stays so"
        values = (one.tenant, one.domain, one.selector, now, since, said)
        await self._pool.execute(stages.SQL["looked"], *values)
        if shown.everywhere and due is not None and now >= due and may:
            return await self._switch(one, raised)
        if now >= one.began + round(self._settings.rotation_patience * 1000):
            raised.append(_unseen(one, said))
        return []

    async def _switch(self, one: Rotating, raised: list[Raised]) -> list[str]:
        async def act(a: Act) -> bool:
            return await stages.switch(a, one.tenant, one.domain, one.selector)

        try:
            done = await self._publisher.change(WHO, act)
        except RefusedError as error:
            await self._say(one, error.line())
            raised.append(_refused(one, error.line()))
            return []
        return [f"{one.domain} signs with {one.selector}"] if done.result else []

    async def _former(self, one: Rotating, now: int, raised: list[Raised], may: bool) -> list[str]:
        """One whose former key may have been there for long enough; what was done."""
        assert one.switched is not None
        if now < one.switched + round(self._settings.rotation_kept * 1000) or not may:
            return []
        if await self._carried_by_hand():
            raised.append(_by_hand(one))
            return []

        async def act(a: Act) -> str:
            return await stages.finish(a, one.tenant, one.domain, kept=self._settings.rotation_kept)

        try:
            await self._publisher.change(WHO, act)
        except RefusedError as error:
            if error.status == 409 and not await self._there(one):
                return []  # another node, or somebody by hand, was there first
            await self._say(one, error.line())
            raised.append(_refused(one, error.line()))
            return []
        async with self._pool.acquire() as connection, connection.transaction():
            await event(connection, now, _may_go(one))
        return [f"the former key {one.selector} of {one.domain} is deleted"]

    async def _carried_by_hand(self) -> bool:
        """Whether only an operator knows which key PowerMTA signs with."""
        plan = await self._publisher.current()
        if plan is None or not self._signs:
            return False
        return not await self._publisher.told_by_itself(self._pool, plan)

    async def _there(self, one: Rotating) -> bool:
        rows = await self._pool.fetch(stages.SQL["all"])
        same = (one.tenant, one.domain, one.selector)
        return any((row["tenant"], row["domain"], row["selector"]) == same for row in rows)

    async def _say(self, one: Rotating, said: str) -> None:
        now = await self._calendar()
        await self._pool.execute(
            stages.SQL["said"], one.tenant, one.domain, one.selector, now, said
        )


async def _seen(one: Rotating, resolvers: list[Questions]) -> Seen:
    name = dkim_name(one.selector, one.domain)
    if not resolvers:
        return Seen(said="no name server is known: name some in dns.nameservers")
    answers = await asyncio.gather(*(each.ask(name, "TXT") for each in resolvers))
    judged = [judge(answer, one.public) for answer in answers]
    wrong = [each.what for each in judged if each.verdict in ("error", "warning")]
    unknown = [each.what for each in judged if each.verdict == "unknown"]
    count = len(judged)
    if wrong:
        return Seen(absent=True, said=f"{len(wrong)} of {count} resolvers: {wrong[0]}")
    if unknown:
        return Seen(said=f"{len(unknown)} of {count} resolvers: {unknown[0]}")
    return Seen(everywhere=True, said=f"{count} of {count} resolvers show it")


def _key(one: Rotating) -> str:
    return f"dkim:{one.domain}"


def _unseen(one: Rotating, said: str) -> Raised:
    return Raised(
        key=_key(one),
        severity="warning",
        what=f"the new DKIM key {one.selector} of {one.domain} waits since {instant(one.began)} "
        f"and does not sign yet: {said}",
        next=f"publish what `sendgate domain show {one.domain}` says, or `sendgate domain rotate "
        f"{one.domain} --cancel`",
    )


def _refused(one: Rotating, why: str) -> Raised:
    return Raised(
        key=_key(one),
        severity="warning",
        what=f"the DKIM key of {one.domain} cannot be replaced now: {why}",
        next="see what is wrong with `sendgate status`; it is tried again every five minutes",
    )


def _by_hand(one: Rotating) -> Raised:
    return Raised(
        key=_key(one),
        severity="info",
        what=f"the former DKIM key {one.selector} of {one.domain} may go once PowerMTA has loaded "
        f"a configuration that signs with {one.dkim_selector}, which is carried to it by hand",
        next=f"look there, then `sendgate domain rotate {one.domain} --finish`",
    )


def _may_go(one: Rotating) -> Raised:
    return Raised(
        key=f"dkim-former:{dkim_name(one.selector, one.domain)}:{one.switched}",
        severity="info",
        what=f"nothing signs with the former DKIM key {one.selector} of {one.domain} any more, and "
        "it is deleted",
        next=f"take {dkim_name(one.selector, one.domain)} out of DNS",
    )
