"""A control plane with a ledger to lose: two PowerMTA servers, three tenants, one gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from control.ledger.opening import Opening
from control.ledger.status import LedgerStatus
from control.parts import Parts
from control.pmta import server
from control.pmta.server import ServerAddresses
from control.sources import domain
from control.sources.domain import NewDomain
from control.store.change import Act
from control.tenants import tenant
from control.tenants.tenant import NewTenant
from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from policy.ledger_port import Duplicate, Granted, LedgerClosedError, Reserve
from policy.limits import day_of
from policy.model import Address
from settings.model import Settings
from tests.support.control.core import control_core

TENANTS = (
    ("acme", "192.0.2.10", 5, "pmta1"),
    ("globex", "192.0.2.20", 5, "pmta2"),
    ("initech", "192.0.2.30", "unlimited", "pmta2"),
)
WAIT = 66.0
"""Seconds until no grant from before can still be sent, by the settings of tests."""


class Scene:
    """`real` is the elapsed time control sees, in seconds."""

    def __init__(self, core: Parts, settings: Settings) -> None:
        self.core = core
        self.settings = settings
        self.real = 1000.0
        self.opening = self.control()
        self._client = connect(settings.ledger.url)
        self.gateway = RedisLedger(self._client)

    def control(self) -> Opening:
        """A control node."""
        return Opening(
            self.core.pool,
            self.core.admin,
            self.core.publisher,
            self.core.carry_over,
            self.settings,
            clock=lambda: self.real,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def prepare(self) -> None:
        async def act(a: Act) -> None:
            address = Address(host="127.0.0.1", port=2526)
            await server.put(a, ServerAddresses(name="pmta2", addresses=(address,)))
            for name, ip, quota, where in TENANTS:
                new = NewTenant(name=name, login=f"{name}-login", password="correct horse")
                await tenant.add(a, new)
                added = NewDomain(
                    tenant=name,
                    domain=f"{name}.example",
                    ip=ip,
                    quota=quota,
                    hourly_share=1.0,
                    server=where,
                )
                await domain.add(a, added, seal=self.core.seal, warmup=self.settings.warmup)

        await self.core.publisher.change("test", act)

    async def send(self, tenant: str, count: int = 1, key: str = "") -> int | str:
        """How many of `count` messages are granted, 'closed', or whose duplicate it is."""
        ask = Reserve(
            tenant, tenant, "", (("gmail", 1),), key=key, owner="me" if key else "", attempt=1
        )
        try:
            decisions = (await self.gateway.decide([ask] * count)).decisions
        except LedgerClosedError:
            return "closed"
        for one in decisions:
            if isinstance(one, Duplicate):
                return f"{one.state} {one.owner}"
        return sum(isinstance(one, Granted) for one in decisions)

    async def attend(self, times: int = 1, after: float = 5.0) -> LedgerStatus:
        """Let control look, every `after` seconds."""
        for _ in range(times):
            self.real += after
            await self.opening.attend()
        return await self.opening.status()

    async def now(self) -> int:
        return (await self.core.admin.now())[0]

    async def next_day(self) -> None:
        now = await self.now()
        assert await self.core.admin.set_clock((day_of(now) + 1) * 86_400_000 + 60_000)

    async def feed(self, *servers: str, gap_at: int = 0, since: int = 0) -> None:
        """Let accounting of these servers be read."""
        for name in servers:
            await self.core.pool.execute(
                "INSERT INTO accounting_stream (server, path, read_at, gap_at, since) "
                "VALUES ($1, '/acct.csv', $2, $3, $4)",
                *(name, await self.now(), gap_at, since),
            )

    async def older(self) -> None:
        """Let the VirtualMTAs be a week old."""
        for table in ("virtual_mta", "vmta_ip"):
            await self.core.pool.execute(
                f"UPDATE {table} SET created = created - interval '7 days'"
            )

    async def relayed(self, vmta: str, count: int, days_ago: int = 0) -> None:
        day = day_of(await self.now()) - days_ago
        await self.core.pool.execute(
            "INSERT INTO relayed (day, vmta, provider, count) VALUES ($1, $2, 'gmail', $3)",
            *(day, vmta, count),
        )

    async def held(self, number: int, state: str, **columns: Any) -> None:
        """A row of the hold, of message `messageN`."""
        day = day_of(await self.now())
        row: dict[str, Any] = {
            "bucket": day,
            "id": f"message{number}",
            "body": f"message{number}",
            **dict.fromkeys(("tenant", "pool"), "acme"),
            **dict.fromkeys(("mailbox", "campaign", "key", "message_id", "reason", "detail"), ""),
            "provider": "gmail",
            "bulk": False,
            **dict.fromkeys(("recipient", "notify", "orcpt"), b""),
            **dict.fromkeys(("size", "arrived", "since"), 1),
            "until": int(state == "held"),
            "state": state,
            "attempt": 1,
            "vmta": "" if state == "held" or "behind" in columns else "vmta-192-0-2-10",
            **columns,
        }
        marks = ", ".join(f"${i + 1}" for i in range(len(row)))
        await self.core.pool.execute("SELECT hold_partition($1)", day)
        await self.core.pool.execute(
            f"INSERT INTO held ({', '.join(row)}) VALUES ({marks})", *row.values()
        )

    async def receipt(self, message: str, attempt: int = 1, key: str = "", age: int = 0) -> None:
        """A record of PowerMTA; `age` in milliseconds."""
        now = await self.now()
        await self.core.pool.execute(
            "INSERT INTO receipt (day, message, attempt, key, server, kinds, at) "
            "VALUES ($1, $2, $3, $4, 'pmta1', 'r', $5)",
            *(day_of(now - age), message, attempt, key, now - age),
        )

    async def probes(self) -> dict[str, list[str]]:
        """Server to the ids of probes that nobody sent yet."""
        found: dict[str, list[str]] = {}
        for row in await self.core.pool.fetch("SELECT * FROM probe WHERE sent = 0 ORDER BY id"):
            found.setdefault(row["server"], []).append(row["id"])
        return found

    async def answer(self, *servers: str, accepted: bool = True, read: bool = True) -> None:
        """What releaser and reader do with every probe of these servers."""
        await self.core.pool.execute(
            "UPDATE probe SET sent = $2, accepted = $3, read = $4 WHERE server = ANY($1)",
            *(list(servers), await self.now(), accepted, read),
        )

    async def audits(self, action: str) -> list[tuple[str, str]]:
        rows = await self.core.pool.fetch(
            "SELECT who, reason FROM audit_log WHERE action = $1 ORDER BY id", action
        )
        return [(row["who"], row["reason"]) for row in rows]

    async def lose(self) -> None:
        """Everything, and control has seen it."""
        await self.core.admin.client.flushall()
        await self.attend()


@asynccontextmanager
async def scene(settings: Settings) -> AsyncIterator[Scene]:
    """Open, with its tenants."""
    async with control_core(settings) as core:
        made = Scene(core, settings)
        try:
            await made.prepare()
            yield made
        finally:
            await made.close()
