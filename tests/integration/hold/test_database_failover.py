"""PostgreSQL fails over to a standby that lags, or goes back in time: noticed, and doubted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.ledger.failover import judge
from control.ledger.status import LedgerState
from control.ledger.unknown import from_log
from policy.ledger.witness import beats
from settings.statements import statements
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for
from tests.support.ledger.loss import Scene, scene


@pytest.fixture
async def here(create_database: CreateDatabase, valkey_url: str) -> AsyncIterator[Scene]:
    async with scene(settings_for(await create_database("control", build), valkey_url)) as made:
        await made.held(1, "held", reason="ip_quota")
        yield made


async def look(here: Scene, *, synchronous: bool = False) -> str:
    return await judge(here.core.pool, here.core.admin, synchronous=synchronous)


async def state(here: Scene) -> tuple[str, LedgerState]:
    row = await here.core.pool.fetchrow("SELECT state FROM held")
    return row["state"], (await here.opening.status()).state


async def other_timeline(here: Scene, **columns: Any) -> None:
    """As a standby that was promoted finds it: what it copied is of the timeline before."""
    words = ", ".join(f"{name} = {value}" for name, value in columns.items())
    await here.core.pool.execute(
        f"UPDATE primary_server SET timeline = timeline - 1{', ' if words else ''}{words}"
    )


async def judged(here: Scene) -> bool:
    return bool(await here.core.pool.fetchval("SELECT hold_judged()"))


async def claimable(here: Scene) -> int:
    row = await here.core.pool.fetchrow("SELECT bucket, id FROM held")
    return len(
        await here.core.pool.fetch(
            statements("gateway.hold.release", "release")["lock"], [row["bucket"]], [row["id"]]
        )
    )


async def test_a_server_that_stays_is_beaten_and_left_alone(here: Scene) -> None:
    for count in (1, 2, 3):
        assert await look(here) == ""
        assert await beats(here.core.admin) == count
    assert await state(here) == ("held", LedgerState.OPEN)


async def test_another_timeline_is_a_restore(here: Scene) -> None:
    assert await look(here) == ""
    assert await claimable(here) == 1
    await other_timeline(here)
    assert not await judged(here)
    assert await claimable(here) == 0, "nothing is claimed before control has judged it"
    assert "failed over: timeline" in await look(here)
    assert await state(here) == ("doubt", LedgerState.REBUILDING)
    assert await judged(here)
    [(who, why)] = await here.audits("restore")
    assert (who, "failed over" in why) == ("control", True)
    assert await look(here) == "", "once"


async def test_another_cluster_is_a_restore(here: Scene) -> None:
    await here.core.pool.execute("UPDATE primary_server SET system = '1'")
    assert "another cluster" in await look(here, synchronous=True)
    assert await state(here) == ("doubt", LedgerState.REBUILDING)


async def test_the_store_that_knows_less_is_found_whatever_it_is_called(here: Scene) -> None:
    """A snapshot of the whole machine: the same cluster, the same timeline."""
    for _ in range(3):
        assert await look(here) == ""
    await here.core.pool.execute("UPDATE primary_server SET beats = 1")
    assert "has heard 2 beats more" in await look(here)
    assert await state(here) == ("doubt", LedgerState.REBUILDING)
    assert await look(here) == ""


@pytest.mark.parametrize("waited", [False, True])
async def test_a_synchronous_standby_loses_nothing_where_commits_waited_for_it(
    here: Scene, waited: bool
) -> None:
    assert await look(here) == ""
    await other_timeline(here, synchronous=waited)
    why = await look(here, synchronous=True)
    assert (why == "") is waited
    assert await judged(here)
    assert await state(here) == (
        ("held", LedgerState.OPEN) if waited else ("doubt", LedgerState.REBUILDING)
    )
    assert len(await here.audits("database.failover")) == waited


async def test_a_lost_beat_outweighs_the_setting(here: Scene) -> None:
    for _ in range(2):
        assert await look(here) == ""
    await other_timeline(here, synchronous=True, beats=0)
    assert await look(here, synchronous=True) != ""


def test_the_log_names_what_was_held_and_did_not_go(tmp_path: Path) -> None:
    lines = [
        {"time": 1.0, "event": "message", "outcome": "held", "message": "known"},
        {"time": 9.0, "event": "message", "outcome": "held", "message": "lost"},
        {"time": 9.0, "event": "message", "outcome": "held", "message": "went"},
        {"time": 9.5, "event": "released", "outcome": "relayed", "message": "went"},
        {"time": 9.0, "event": "message", "outcome": "relayed", "message": "live"},
    ]
    file = tmp_path / "gateway.log"
    file.write_bytes(b"half a line\n{\n" + b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    assert from_log([file], 5_000) == ["lost"]
