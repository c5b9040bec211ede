"""Both ledgers behind one face, with a clock that tests move."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.ledger import RedisLedger
from policy.ledger.memory import MemoryLedger
from policy.ledger.packing import BUCKETS, pack
from policy.ledger_port import Answer, Item, Ledger
from policy.limits import DAY, day_of
from policy.plan import Generation

MIDNIGHT = 25_000 * DAY
"""A day in 2038: ahead of every machine's clock, because a ledger's clock only goes forward."""


class MemoryUnderTest:
    """The memory twin."""

    def __init__(self, generation: Generation) -> None:
        self._twin = MemoryLedger(generation, now=MIDNIGHT)
        self.ledger: Ledger = self._twin

    async def at(self, now: int) -> None:
        self._twin.now = now

    async def publish(self, generation: Generation) -> None:
        self._twin.publish(generation)

    async def batch(self, name: str, items: Sequence[Item], incarnation: str = "") -> Answer:
        return self._twin.decide_batch(name, incarnation or self._twin.incarnation, items)

    async def set_opening(self, ip: str, total: int, by_provider: dict[str, int]) -> None:
        self._twin.set_opening(ip, total, by_provider)

    async def age(self, milliseconds: int) -> None:
        """Let real time pass for what is tried and marked."""
        self._twin.entries.real += milliseconds

    async def used(self, ip: str) -> int:
        return self._twin._usage(ip).relayed

    async def close(self) -> None:
        pass


class RedisUnderTest:
    """The real ledger. Its clock runs, so `at` sets it and cases keep clear of edges."""

    def __init__(self, url: str) -> None:
        self._client = connect(url)
        self.admin = LedgerAdmin(self._client)
        self._ledger = RedisLedger(self._client)
        self.ledger: Ledger = self._ledger

    @classmethod
    async def start(
        cls, url: str, generation: Generation, *, packed: bool = True
    ) -> "RedisUnderTest":
        """`packed`: whether duplicate entries may be."""
        under_test = cls(url)
        await pack(under_test.admin, packed)
        await under_test.admin.open()
        await under_test.at(MIDNIGHT)
        await under_test.publish(generation)
        await under_test._ledger.attach()
        return under_test

    async def at(self, now: int) -> None:
        real, offset = await self.admin.now()
        # Tests need exact times: the seam's offset is set as a value, past its door.
        await self._client.set(f"{self.admin.root}offset", now - (real - offset))

    async def publish(self, generation: Generation) -> None:
        assert await self.admin.publish(generation) == generation.number

    async def batch(self, name: str, items: Sequence[Item], incarnation: str = "") -> Answer:
        self._ledger.incarnation = incarnation or await self.admin.incarnation()
        return await self._ledger.decide_batch(name, items)

    async def set_opening(self, ip: str, total: int, by_provider: dict[str, int]) -> None:
        now, _ = await self.admin.now()
        await self.admin.set_opening(ip, day_of(now), total, by_provider)

    async def age(self, milliseconds: int) -> None:
        """Let real time pass for what is tried and marked: nobody waits for it."""
        async for key in self._client.scan_iter(f"{self.admin.root}dup:*"):
            state, attempt, since, *rest = (await self._client.get(key)).split()
            if state == b"T":
                aged = b" ".join([state, attempt, b"%d" % (int(since) - milliseconds), *rest])
                await self._client.set(key, aged, keepttl=True)
        async for key in self._client.scan_iter(f"{self.admin.root}{BUCKETS}*"):
            for field, value in (await cast(Any, self._client.hgetall(key))).items():
                if field and value[0] % 8 == 1:
                    since = int.from_bytes(value[1:7]) - milliseconds
                    aged = value[:1] + since.to_bytes(6) + value[7:]
                    await cast(Any, self._client.hset(key, field, aged))
        async for key in self._client.scan_iter(f"{self.admin.root}mark:*"):
            left = await self._client.pttl(key) - milliseconds
            await (self._client.pexpire(key, left) if left > 0 else self._client.delete(key))

    def sent_kept(self, seconds: float) -> None:
        """Another setting from now on."""
        self._ledger = RedisLedger(self._client, sent_kept=seconds)
        self.ledger = self._ledger

    async def used(self, ip: str) -> int:
        _, usage = await self.admin.usage([ip])
        return usage[ip].relayed

    async def close(self) -> None:
        await self._client.aclose()


LedgerUnderTest = MemoryUnderTest | RedisUnderTest

Start = Callable[[Generation], Awaitable[LedgerUnderTest]]
"""Starts a ledger, empty but for its plan."""
