"""Counting what waits, and lending connections for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway.hold.database import AwayError, Database, _fit
from gateway.hold.keep.backlog import Backlog, Count
from gateway.watch import metrics
from gateway.watch.log import Log
from policy.model import HoldBounds
from settings.hold import Hold
from tests.support.gateway.generations import generation, tenant, vmta
from tests.support.hold.database import execute


@contextlib.asynccontextmanager
async def database(url: str, connections: int = 2) -> AsyncIterator[Database]:
    made = Database(url, connections=connections, timeout=5.0, log=Log())
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def test_a_count_that_was_stopped_is_not_rested_from(hold_url: str) -> None:
    async with database(hold_url) as known:
        backlog = Backlog(known, Hold(), lambda: None, now=lambda: 1, log=Log())
        await backlog.refresh()
        await execute(hold_url, "UPDATE hold_summary SET taken = taken - interval '1 hour'")
        link = await asyncpg.connect(hold_url)
        try:
            await link.execute("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
            counting = asyncio.create_task(backlog.refresh())
            await asyncio.sleep(1.0)
            await link.execute("COMMIT")
            await counting
            took = await link.fetchval("SELECT took FROM hold_summary")
        finally:
            await link.close()
        assert 0.05 <= took < 0.5, "it took a second, and no count before took nearly as long"


def _served(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


async def test_how_full_a_tenants_hold_is_stands_in_the_metrics(hold_url: str) -> None:
    bounds = HoldBounds(messages=4, octets=1_000, age=86_400.0)
    plan = generation(vmta(1), tenants=(tenant(hold=bounds),))
    rows = (
        Count("acme", "main", "gmail", "held", "quota", False, False, 2, 900, 1),
        Count("gone", "other", "gmail", "held", "quota", False, False, 1, 10, 1),
    )
    async with database(hold_url) as known:
        backlog = Backlog(known, Hold(), lambda: plan, now=lambda: 1, log=Log())
        backlog._take_over(1_001, rows)
        assert _served("sendgate_hold_used_ratio", tenant="acme", bound="messages") == 0.5
        assert _served("sendgate_hold_used_ratio", tenant="acme", bound="octets") == 0.9
        assert _served("sendgate_hold_age_limit_seconds", tenant="acme") == 86_400.0
        # A tenant that the plan no longer has has no bounds of its own.
        assert _served("sendgate_hold_used_ratio", tenant="gone", bound="messages") is None
        backlog._take_over(2_001, ())
        assert _served("sendgate_hold_used_ratio", tenant="acme", bound="messages") == 0


async def _process(known: Database, patience: float = 2.0) -> int:
    async with known.connection(patience) as link:
        number: int = await link.fetchval("SELECT pg_backend_pid()")
        return number


async def test_a_connection_stays_at_hand_and_whoever_waits_gets_it(hold_url: str) -> None:
    async with database(hold_url, connections=1) as known:
        first = await _process(known)
        assert await _process(known) == first
        async with known.connection():
            # Sooner than what lies at hand goes back by itself.
            waiting = asyncio.create_task(_process(known, 0.7))
            await asyncio.sleep(0.05)
            with pytest.raises(AwayError):
                async with known.connection(0.05):
                    raise AssertionError("there is only one")
        assert await waiting == first


async def test_a_connection_lost_at_hand_is_not_lent(hold_url: str) -> None:
    async with database(hold_url, connections=1) as known:
        first = await _process(known)
        await execute(hold_url, "SELECT pg_terminate_backend($1, 5000)", first)
        async with asyncio.timeout(5.0):
            while _fit(known._at_hand[0]):
                await asyncio.sleep(0.01)
        assert await _process(known) != first


async def test_an_open_transaction_does_not_pass_to_the_next(hold_url: str) -> None:
    async with database(hold_url, connections=1) as known:
        async with known.connection() as link:
            await link.execute("BEGIN")
            await link.execute("CREATE TABLE unfinished (x int)")
        async with known.connection() as link:
            assert await link.fetchval("SELECT to_regclass('unfinished')::text") is None
