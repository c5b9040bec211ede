"""Pools that overflow in a circle, and a publishing lock that nobody keeps for ever: control as a
process of its own on a real PostgreSQL, for what hung was a loop that let nothing else run."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest

from control.embedded.stack.toml import to_toml
from control.parts import open_parts
from control.plan.turn import PUBLISH_LOCK
from control.problem import RefusedError
from control.store.change import Act
from control.store.connecting import KNOWS_TRANSACTIONS
from control.store.database import allow
from control.store.refusal import UNREACHABLE
from gateway.hold.database import Database as HoldDatabase
from gateway.hold.database import UnknownError
from gateway.hold.holding import Holding
from gateway.watch.log import Log
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import Api, build, control_core, settings_for
from tests.support.control.problems import Expected

ACME = {"name": "acme", "login": "acme-smtp", "password": "correct horse"}


def _domain(number: int, pool: str, overflow: str | None = None, name: str = "") -> dict[str, Any]:
    found = {
        "tenant": "acme", "domain": f"{name or pool}.example", "ip": f"192.0.2.{number}",
        "pool": pool,
    }  # fmt: skip
    return found if overflow is None else {**found, "overflow": overflow}


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    made = settings_for(
        await create_database("control", build), valkey_url, pmta_keys="/etc/pmta/keys"
    )
    database = msgspec.structs.replace(made.database, idle_transaction=2.0)
    found = msgspec.structs.replace(made, database=database)
    async with control_core(found):
        return found


async def _nothing(_: Act) -> None:
    """A change that publishes the rows as they are."""


@pytest.fixture
async def process(settings: Settings, tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    file = tmp_path / "sendgate.toml"
    file.write_text(to_toml(settings), encoding="utf-8")
    child = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("sendgate")), "control", "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "SENDGATE_DOTENV": "none"},
    )
    yield child
    child.kill()
    await child.wait()


@pytest.fixture
async def api(process: asyncio.subprocess.Process) -> AsyncIterator[Api]:
    """Of the process; an answer that does not come in 10 s is a failure."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    url = line.removeprefix("ready api=").strip()
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Api(session, url, Expected(()))


async def _plan(api: Api) -> None:
    for path, body in (
        ("tenants", ACME),
        ("domains", _domain(11, "b")),
        ("domains", _domain(10, "a", "b")),
    ):
        status, answer = await api("POST", f"/api/v2/{path}", body)
        assert status == 201, answer


@pytest.mark.parametrize("query", ["?dry_run=true", ""])
async def test_a_circle_is_one_error_that_names_its_pools(api: Api, query: str) -> None:
    await _plan(api)
    path = f"/api/v2/domains{query}"
    status, answer = await api("POST", path, _domain(12, "b", "a"))
    assert (status, answer["errors"]) == (
        400,
        [{
            "field": "overflow",
            "detail": "pools a → b → a overflow in a circle: one of them must overflow elsewhere "
            "or not at all",
        }],
    )  # fmt: skip
    status, answer = await api("POST", path, _domain(12, "b", "b"))
    assert (status, [e["detail"] for e in answer["errors"]]) == (
        400,
        ["pool b overflows into itself: name another pool"],
    )
    status, answer = await api("GET", "/api/v2/domains/b.example?tenant=acme")
    assert (status, answer["vmtas"]) == (200, ["vmta-192-0-2-11"])
    assert (await api("POST", "/api/v2/domains", _domain(12, "b")))[0] == 201


async def test_a_circle_put_into_the_rows_stops_changes_and_hangs_nothing(
    api: Api, settings: Settings
) -> None:
    await _plan(api)
    link = await asyncpg.connect(settings.database.url)
    await link.execute("UPDATE pool SET overflow = 'a' WHERE name = 'b'")
    for query in ("?dry_run=true", ""):
        status, answer = await api("POST", f"/api/v2/domains{query}", _domain(13, "acme", name="c"))
        assert (status, [e["detail"].partition(":")[0] for e in answer["errors"]]) == (
            409,
            ["pools a → b → a overflow in a circle"],
        )
    _, answer = await api("GET", "/api/v2/domains/a.example?tenant=acme")
    assert len(answer["vmtas"]) == 2
    asked = {"tenant": "acme", "from": "x@a.example", "to": "y@gmail.com"}
    assert (await api("POST", "/api/v2/explain", asked))[0] == 200
    await link.execute("UPDATE pool SET overflow = NULL WHERE name = 'b'")
    await link.close()
    assert (await api("POST", "/api/v2/domains", _domain(13, "acme", name="c")))[0] == 201


async def test_a_frozen_control_process_keeps_the_publishing_lock_for_a_time_only(
    process: asyncio.subprocess.Process, api: Api, settings: Settings
) -> None:
    """Another node goes on when PostgreSQL has ended the frozen one's transaction."""
    await _plan(api)
    link = await asyncpg.connect(settings.database.url)
    # The process comes to a stop inside its change: behind a row that we hold.
    rows = link.transaction()
    await rows.start()
    await link.execute("SELECT 1 FROM tenant WHERE name = 'acme' FOR UPDATE")
    hanging = asyncio.create_task(api("POST", "/api/v2/tenants/acme/pause"))
    other = await asyncpg.connect(settings.database.url)
    while not await other.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND application_name = 'sendgate control'"
    ):
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    await rows.rollback()
    short = msgspec.structs.replace(settings.database, timeout=1.0)
    changing = msgspec.structs.replace(settings, database=short)
    async with open_parts(changing) as core:
        with pytest.raises(RefusedError, match="another change was being published for 1 s"):
            await core.publisher.change("test", _nothing)
        async with asyncio.timeout(15):
            while await other.fetchval(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                "AND objid = $1", PUBLISH_LOCK & 0xFFFF_FFFF,
            ):  # fmt: skip
                await asyncio.sleep(0.05)
        await core.publisher.change("test", _nothing)
    process.send_signal(signal.SIGCONT)
    status, answer = await hanging
    assert status == 503, answer
    await link.close()
    await other.close()


async def test_every_session_has_bounds_that_the_server_keeps(settings: Settings) -> None:
    database = msgspec.structs.replace(settings.database, timeout=90.0)
    changed = msgspec.structs.replace(settings, database=database)
    async with control_core(changed) as core:
        assert await _shown(core.pool) == ("90s", "2s")
        async with core.pool.acquire() as link, link.transaction():
            await allow(link, 7_200.0)
            assert await _shown(link) == ("2h", "2s")
        assert await _shown(core.pool) == ("90s", "2s")
    holding = Holding(
        changed, generation=lambda: None, change=lambda _: None, now=lambda: 0, log=Log()
    )
    await holding.open()
    for pool in (holding.database, holding.vital):
        async with pool.connection() as link, pool.fresh(5.0) as own:
            assert [await _shown(link), await _shown(own)] == [("90s", "2s")] * 2
    await holding.close()


async def test_every_transaction_has_a_bound_that_the_server_keeps(settings: Settings) -> None:
    """Whatever it does meanwhile: each statement and each pause is short enough by itself."""
    database = msgspec.structs.replace(settings.database, transaction=3.0)
    changed = msgspec.structs.replace(settings, database=database)
    longest = "SHOW transaction_timeout"
    async with control_core(changed) as core:
        async with core.pool.acquire() as link:
            if link.get_server_version() < KNOWS_TRANSACTIONS:
                pytest.skip("this PostgreSQL does not know it")
        for _ in range(3):
            assert await core.pool.fetchval(longest) == "3s", "after each reset, too"
        # The session ends with it, as with a server that is gone.
        with pytest.raises(UNREACHABLE):
            async with core.pool.acquire() as link, link.transaction():
                await _busy(link, 200)
        # A timer that runs is set anew, not left to end what was given more time.
        async with core.pool.acquire() as link, link.transaction():
            await link.execute("SELECT pg_sleep(1)")
            await allow(link, 60.0)
            await _busy(link, 30)
            assert await link.fetchval(longest) == "8min"
        assert await core.pool.fetchval(longest) == "3s"
    holding = Holding(
        changed, generation=lambda: None, change=lambda _: None, now=lambda: 0, log=Log()
    )
    await holding.open()
    for pool in (holding.database, holding.vital):
        async with pool.connection() as link, pool.fresh(5.0) as own:
            assert [await link.fetchval(longest), await own.fetchval(longest)] == ["3s", "3s"]
    await holding.close()


async def _busy(link: Any, tenths: int) -> None:
    for _ in range(tenths):
        await link.execute("SELECT pg_sleep(0.1)")


async def _shown(link: Any) -> tuple[str, str]:
    return (
        await link.fetchval("SHOW statement_timeout"),
        await link.fetchval("SHOW idle_in_transaction_session_timeout"),
    )


async def test_a_transaction_that_the_server_ended_is_a_lost_one(settings: Settings) -> None:
    """What a releaser finds that was frozen inside its claim: it must not send."""
    database = msgspec.structs.replace(settings.database, idle_transaction=1.0)
    hold = HoldDatabase(
        database.url, connections=1, timeout=5.0, log=Log(), bounds=database.bounds()
    )
    await hold.open()

    other = await asyncpg.connect(database.url)

    async def frozen() -> None:
        async with hold.connection() as link:
            await link.execute("BEGIN")
            pid = await link.fetchval("SELECT pg_backend_pid()")
            for _ in range(200):
                if not await other.fetch("SELECT 1 FROM pg_stat_activity WHERE pid = $1", pid):
                    break
                await asyncio.sleep(0.05)
            await link.execute("COMMIT")

    with pytest.raises(UnknownError):
        await frozen()
    async with hold.connection() as link:
        assert await link.fetchval("SELECT 1") == 1
    await hold.close()
    await other.close()
