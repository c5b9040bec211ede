"""Reads that many wait for at the same time are one read.

Rule: nobody gets what was read before it asked. Who comes while a read goes on waits for the next
one, with all others who came meanwhile, as commits of a group do. So fifty clients that ask the
same cost two reads and not fifty, and each sees what it would have seen alone. An answer that is
made of rows of the plan alone is kept beyond that, encoded, until they change
(`control.plan.asof`).

Which: every GET that asks for a token and is not written down. But for `ASKERS` they are called
without a holder: their answers say nothing of who asks but its tenants.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from control.api import listing
from control.api.route import Call, Route
from control.plan.asof import AsOf
from settings.control import Control

PLAN: frozenset[str] = frozenset(
    {
        "/api/v2/tenants",
        "/api/v2/tenants/{tenant}",
        "/api/v2/domains",
        "/api/v2/domains/{domain}",
        "/api/v2/pools",
        "/api/v2/pools/{pool}",
        "/api/v2/servers",
        "/api/v2/tenants/{tenant}/mailboxes",
        "/api/v2/powermta/config",
    }
)
"""Of rows of the plan and of settings alone: kept until they change. Not IPs: which of
them are closed, the ledger says."""

ASKERS: frozenset[str] = frozenset(
    {
        "/api/v1/auth/me",
        "/api/v1/audit",
        "/api/v2/audit",
        "/api/v2/users",
        "/api/v2/users/{user}",
        "/api/v2/tokens",
        "/api/v2/tokens/{token}",
    }
)
"""What they answer is by how far who asks reaches: shared by those who are the same."""

Standing = Callable[[], Awaitable[str | None]]
"""What rows of the plan stand at; None: they are being changed."""
Make = Callable[[], Awaitable[Any]]
Answer = msgspec.Raw | str
"""Encoded, or the text that it is."""


class Reads:
    """Of one control process. `most`: octets of answers that are kept."""

    def __init__(self, as_of: Standing, most: int) -> None:
        self._as_of = as_of
        self._most = most
        self._running: dict[Hashable, asyncio.Task[Answer]] = {}
        self._next: dict[Hashable, asyncio.Task[Answer]] = {}
        self._kept: OrderedDict[Hashable, tuple[str, Answer]] = OrderedDict()
        self._size = 0

    async def answer(self, route: Route, call: Call, only: str | None) -> Any:
        """What the route's handler answers, of one kind encoded. `only`: the tenant of who asks.
        Raises what the handler does."""
        if route.method != "GET" or route.public or route.written:
            return await route.handler(call)
        holder = call.holder if route.path in ASKERS else None
        whose = replace(call, who="", holder=holder, address="", still=None)
        path, query = tuple(sorted(call.path.items())), tuple(sorted(call.query.items()))
        asked = only, holder, path, query, call.part
        return await self.read(route.path, asked, partial(_made, route, whose))

    async def read(self, path: str, asked: Hashable, make: Make) -> Answer:
        """Of a route's path and of all that its answer depends on. Raises what `make` does."""
        key = path, asked
        task = self._next.get(key)
        if task is None:
            before = self._running.get(key)
            task = asyncio.create_task(self._after(before, key, make))
            if before is None:
                self._running[key] = task
            else:
                self._next[key] = task
        # One who goes away does not take it from the others.
        return await asyncio.shield(task)

    async def _after(
        self, before: asyncio.Task[Answer] | None, key: tuple[str, Hashable], make: Make
    ) -> Answer:
        if before is not None:
            await asyncio.wait((before,))
            self._running[key] = self._next.pop(key)
        try:
            return await (self._of_plan(key, make) if key[0] in PLAN else _encoded(make))
        finally:
            del self._running[key]

    async def _of_plan(self, key: tuple[str, Hashable], make: Make) -> Answer:
        # Asked for first: what is read afterwards is as new, or newer.
        as_of = await self._as_of()
        found = self._kept.get(key)
        if found is not None and as_of == found[0]:
            self._kept.move_to_end(key)
            return found[1]
        made = await _encoded(make)
        if as_of is not None:
            self._keep(key, as_of, made)
        return made

    def _keep(self, key: Hashable, as_of: str, made: Answer) -> None:
        before = self._kept.pop(key, None)
        self._size -= _octets(before[1]) if before else 0
        if _octets(made) > self._most:
            return
        self._size += _octets(made)
        self._kept[key] = as_of, made
        while self._size > self._most:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._size -= _octets(oldest)


def reads_of(pool: Any, settings: Control) -> Reads:
    """As the settings have it."""
    return Reads(AsOf(pool), settings.answers_kept * 2**20)


async def _made(route: Route, call: Call) -> Any:
    """Of a list with where its next part begins, as `listing.told` takes them apart."""
    answer = await route.handler(call)
    if route.listing is None or call.part is None:
        return answer
    found, key = listing.found(route.listing, call.part, answer)
    return key, found


async def _encoded(make: Make) -> Answer:
    found = await make()
    return found if isinstance(found, str) else msgspec.Raw(msgspec.json.encode(found))


def _octets(answer: Answer) -> int:
    return len(answer) if isinstance(answer, str) else len(memoryview(answer))
