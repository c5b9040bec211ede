"""Taking an address out of what is kept of accounting: records, those set aside, posted batches.

Owns: who is to be forgotten, and that what comes late is kept without them. Not here: looking
through what is kept (`control.accounting.forgetwork`).
Rule: the address stands in the request until it is out of everything, then only its keyed digest.
That a record counted is not forgotten: its identity is a digest, and it counts once.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from control.accounting.fact import Fact
from control.accounting.lock import lock_number
from control.accounting.payload import SetAside
from control.accounting.traces import Traces, addresses, known_as
from control.problem import missing
from control.store.change import Act
from control.store.database import Connection
from policy.address import hashed
from policy.isotime import instant
from settings.log import Log
from settings.statements import statements

_SQL = statements(__package__, "forgetting")

BOOKING = lock_number("what is booked")
"""Shared by who books, in its transaction: who has it alone has all before it behind him."""
_ASKING = lock_number("who is forgotten")

LOOK_EVERY = 0.2
"""Seconds between two looks at a request that is waited for."""

Digest = Callable[[str], str]
"""A keyed digest of an address."""


class ForgettingView(msgspec.Struct, frozen=True, kw_only=True):
    """How far an address is out of what is kept of accounting."""

    id: int
    at: str
    who: str
    tenant: str | None
    step: str
    """waiting, records, rejected, batches or done."""
    pieces: int
    """To be looked through: groups of records, records set aside, posted batches."""
    looked: int
    changed: int
    """Pieces it was in."""
    unread: int
    """Pieces that are damaged and could not be looked into."""
    finished: str


class Forgetting:
    """Over the control process's pool. `log` says how addresses are written where they are."""

    def __init__(self, pool: Any, digest: Digest, log: Log) -> None:
        self._pool = pool
        self._digest = digest
        self._log = log

    async def ask(self, act: Act, recipient: str, tenant: str | None) -> int:
        """The number of the request; `recipient` in its one spelling."""
        spelt = {recipient}
        if self._log.addresses == "hashed" and self._log.key:
            spelt.add(hashed(recipient, self._log.key.encode()))
        await act.connection.execute(_SQL["one_by_one"], _ASKING)
        asked = act.milliseconds
        digest = self._digest(known_as(recipient))
        number = await act.connection.fetchval(
            _SQL["ask"], asked, act.who, tenant, digest, sorted(spelt)
        )
        return int(number)

    async def listed(
        self, tenant: str | None, before: int | None, limit: int
    ) -> list[ForgettingView]:
        """The newest first, those before number `before`."""
        return list(map(_view, await self._pool.fetch(_SQL["page"], tenant, before, limit)))

    async def one(
        self, number: int, tenant: str | None, *, seen: int, wait: float
    ) -> ForgettingView:
        """As it is when it is over, when more than `seen` pieces were looked at, or after `wait`
        seconds. Raises RefusedError."""
        ends = asyncio.get_running_loop().time() + wait
        while True:
            row = await self._pool.fetchrow(_SQL["one"], number, tenant)
            if row is None:
                raise missing("request", str(number))
            news = row["step"] == "done" or row["looked"] > seen
            if news or asyncio.get_running_loop().time() >= ends:
                return _view(row)
            await asyncio.sleep(LOOK_EVERY)


class Gone:
    """Who is forgotten, for what is booked now."""

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self._last = 0
        self._asked: dict[str, dict[str | None, int]] = {}

    def clear(self) -> None:
        """After an error, and now and then: rows may have gone."""
        self._last = 0
        self._asked.clear()

    async def refresh(self, connection: Connection) -> None:
        """First in the transaction that books: who asks later finds what it wrote."""
        await connection.execute(_SQL["booking"], BOOKING)
        for row in await connection.fetch(_SQL["asked_after"], self._last):
            whose = self._asked.setdefault(row["digest"], {})
            whose[row["tenant"]] = max(row["asked"], whose.get(row["tenant"], 0))
            self._last = row["id"]

    async def of(self, connection: Connection, facts: Sequence[Fact]) -> dict[bytes, Traces]:
        """By its identity what is to be taken out of a record that was written before it was
        asked."""
        found: dict[bytes, list[str]] = {}
        some: list[tuple[Fact, str, dict[str | None, int]]] = []
        if not self._asked:
            return {}
        for fact in facts:
            for address in _told(fact):
                whose = self._asked.get(self._digest(known_as(address)))
                if whose is not None and fact.at <= max(whose.values()):
                    some.append((fact, address, whose))
        named = {fact.vmta for fact, _, whose in some if None not in whose}
        tenants = await tenants_of(connection, named)
        for fact, address, whose in some:
            if any(
                fact.at <= asked and concerns(tenant, tenants.get(fact.vmta))
                for tenant, asked in whose.items()
            ):
                found.setdefault(fact.identity, []).append(address)
        return {identity: Traces(spelt) for identity, spelt in found.items()}

    def without(self, aside: SetAside) -> SetAside:
        """What could not be read, without anybody who is forgotten: when it was written is not
        known."""
        if not self._asked:
            return aside
        spelt = [one for one in addresses(aside.raw) if self._digest(known_as(one)) in self._asked]
        return aside._replace(raw=Traces(spelt).out_of(aside.raw)) if spelt else aside


def _told(fact: Fact) -> list[str]:
    """Whom a record is about; the sender of a complaint or of a remote bounce may be all it has."""
    if fact.rcpt:
        return [fact.rcpt]
    return list(addresses(" ".join(fact.fields).encode("utf-8", "surrogateescape")))


def concerns(tenant: str | None, whose: str | None) -> bool:
    """Whether what a tenant (None: all) wants forgotten stands in a record of `whose` VirtualMTA;
    one that nobody has now, or none, may have been the tenant's."""
    return tenant is None or whose in (None, tenant)


async def tenants_of(connection: Connection, vmtas: set[str]) -> dict[str, str]:
    """Of VirtualMTAs that are there."""
    if not vmtas:
        return {}
    return {
        row["name"]: row["tenant"] for row in await connection.fetch(_SQL["tenants"], sorted(vmtas))
    }


async def sweep(pool: Any, before: int) -> None:
    """Let go of digests of requests that ended before that, calendar milliseconds."""
    await pool.execute(_SQL["sweep"], before)


def _view(row: Any) -> ForgettingView:
    fields = ("id", "who", "tenant", "step", "pieces", "looked", "changed", "unread")
    return ForgettingView(
        at=instant(row["asked"]),
        finished=instant(row["finished"]) if row["finished"] else "",
        **{name: row[name] for name in fields},
    )
