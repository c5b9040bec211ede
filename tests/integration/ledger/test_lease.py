"""A ledger's name that leads elsewhere while connections stay: seen within the lease's time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from control.embedded.servers.valkey import LocalValkey
from policy.ledger.admin import LedgerAdmin
from policy.ledger.connection import connect
from policy.ledger.lease import Lease
from policy.ledger.ledger import RedisLedger, elapsed, root_key
from policy.ledger_port import Granted, LedgerAwayError, LedgerClosedError, Reserve
from tests.faults.proxy import Proxy
from tests.support.gateway.generations import generation, vmta
from tests.support.ledger.replicas import demote, follow, promote

ASK = Reserve("acme", "acme-pool", "a@acme.test", (("other", 1),))
LEASE = 0.6
UNSEEN = "nobody has seen lately"


class Name:
    """A name that leads to one of two servers, a replica of the other; a gateway behind it."""

    def __init__(self, first: LocalValkey, second: LocalValkey, proxy: Proxy) -> None:
        self.first, self.second, self.proxy = first, second, proxy
        self.clients: list[Redis] = []
        self.admin = LedgerAdmin(self.client(first.url))
        self.later = 0.0

    def client(self, url: str) -> Redis:
        self.clients.append(connect(url))
        return self.clients[-1]

    @property
    def url(self) -> str:
        head, _, tail = self.first.url.rpartition(":")
        return f"{head}:{self.proxy.port}/{tail.partition('/')[2]}"

    def clock(self) -> float:
        return elapsed() + self.later

    def gateway(self, seconds: float = LEASE) -> RedisLedger:
        lease = Lease(
            lambda: connect(self.url, timeout=0.3),
            root_key("main"),
            seconds=seconds,
            timeout=0.3,
            clock=self.clock,
        )
        return RedisLedger(self.client(self.url), lease=lease, budget=1.0)


@asynccontextmanager
async def name(folder: Path) -> AsyncIterator[Name]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(LocalValkey(folder / "first"))
        second = await stack.enter_async_context(LocalValkey(folder / "second"))
        proxy = await stack.enter_async_context(Proxy("127.0.0.1", first.port))
        made = Name(first, second, proxy)
        try:
            await made.admin.open()
            await made.admin.publish(generation(vmta(1, daily=1000)))
            yield made
        finally:
            for client in made.clients:
                await client.aclose()


async def sends(ledger: RedisLedger) -> bool:
    [decision] = (await ledger.decide([ASK])).decisions
    return isinstance(decision, Granted)


@asynccontextmanager
async def kept(ledger: RedisLedger) -> AsyncIterator[None]:
    """As in a gateway: its side task runs."""
    task = asyncio.create_task(ledger.keep_lease())
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until_it_stops(ledger: RedisLedger, within: float) -> Exception:
    """How it refuses, once it does; every message before that was granted."""
    async with asyncio.timeout(within):
        while True:
            try:
                assert await sends(ledger)
            except (LedgerAwayError, LedgerClosedError) as error:
                return error
            await asyncio.sleep(0.02)


async def test_an_old_master_that_still_accepts_writes_is_left_within_the_lease(
    tmp_path: Path,
) -> None:
    """Cut off from those who promoted its replica: its old connections work on."""
    async with name(tmp_path) as here:
        await follow(here.first, here.second)
        ledger = here.gateway()
        async with kept(ledger):
            assert await sends(ledger)
            await promote(here.first, here.second)
            here.proxy.lead_to(here.second.port)
            began = elapsed()
            error = await until_it_stops(ledger, 5.0)
            assert elapsed() - began < LEASE + 0.3
            assert isinstance(error, LedgerClosedError | LedgerAwayError)
            # What the first granted last is missing in the second: it is a copy from before.
            for _ in range(3):
                with pytest.raises(LedgerClosedError, match=r"not been opened|gone back in time"):
                    await ledger.decide([ASK])


async def test_a_master_demoted_in_place_is_left_with_its_first_answer(tmp_path: Path) -> None:
    async with name(tmp_path) as here:
        await follow(here.first, here.second)
        ledger = here.gateway(seconds=30.0)
        assert await sends(ledger)
        old = ledger._raw
        await promote(here.first, here.second)
        await demote(here.first, here.second)
        with pytest.raises((LedgerAwayError, LedgerClosedError)):
            await ledger.decide([ASK])
        assert old is not None
        assert old.ended
        with pytest.raises(LedgerAwayError, match="server is a replica"):
            await ledger.decide([ASK])
        here.proxy.lead_to(here.second.port)
        with pytest.raises(LedgerClosedError, match="restarted or replaced"):
            await ledger.decide([ASK])


async def test_without_an_answer_the_line_is_trusted_for_the_lease_and_no_longer(
    tmp_path: Path,
) -> None:
    async with name(tmp_path) as here:
        ledger = here.gateway()
        async with kept(ledger):
            assert await sends(ledger)
            here.proxy.refusing = True
            began = elapsed()
            error = await until_it_stops(ledger, 5.0)
            assert isinstance(error, LedgerClosedError)
            assert UNSEEN in str(error)
            assert LEASE / 2 < elapsed() - began < LEASE + 0.5
            here.proxy.refusing = False
            async with asyncio.timeout(2):
                while not await goes(ledger):
                    await asyncio.sleep(0.02)


async def test_a_process_that_slept_asks_before_it_sends(tmp_path: Path) -> None:
    """Its side task has not run: the batch itself has to find out."""
    async with name(tmp_path) as here:
        await follow(here.first, here.second)
        ledger = here.gateway(seconds=30.0)
        assert await sends(ledger)
        here.later = 29.0
        assert await sends(ledger)
        here.later = 31.0
        asked = here.proxy.accepted
        assert await sends(ledger)
        assert here.proxy.accepted == asked + 1, "over a new connection"
        await promote(here.first, here.second)
        here.proxy.lead_to(here.second.port)
        assert await sends(ledger), "within its lease"
        here.later = 62.0
        with pytest.raises(LedgerClosedError, match=UNSEEN):
            await ledger.decide([ASK])


async def goes(ledger: RedisLedger) -> bool:
    try:
        return await sends(ledger)
    except (LedgerAwayError, LedgerClosedError):
        return False
