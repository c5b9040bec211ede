"""When the ledger may pack duplicate entries: by which processes are about, and for how long."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from control.ledger.packing import SURE
from gateway.ledger.bulletin import Bulletin
from policy.ledger.bulletin import FIGURES, Figures, encode_figures
from policy.ledger.packing import BUCKETS, packs
from policy.ledger_port import Change, EntryState
from settings.model import Settings
from tests.conftest import CreateDatabase
from tests.support.control.core import build, settings_for
from tests.support.ledger.loss import Scene, scene

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def settings(create_database: CreateDatabase, valkey_url: str) -> Settings:
    return settings_for(await create_database("control", build), valkey_url)


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Scene]:
    async with scene(settings) as made:
        yield made


async def sign(here: Scene, process: str, *, packs: bool = True, ago: float = 0.0) -> None:
    """A process's sign of life; one of the version before says nothing of packing."""
    client, root = cast(Any, here.core.admin.client), here.core.admin.root
    seconds, _ = await client.time()
    figures = encode_figures(Figures(packs=True)) if packs else b'{"began":1}'
    await client.zadd(f"{root}workers", {process: seconds - ago})
    await client.hset(f"{root}{FIGURES}", process, figures)


async def leave(here: Scene, process: str) -> None:
    client, root = cast(Any, here.core.admin.client), here.core.admin.root
    await client.zrem(f"{root}workers", process)
    await client.hdel(f"{root}{FIGURES}", process)


async def packed(here: Scene) -> bool:
    await here.attend()
    return await packs(here.core.admin)


async def test_a_ledger_that_nobody_used_packs_from_its_first_opening(here: Scene) -> None:
    assert await packs(here.core.admin)


async def test_a_rolling_upgrade_packs_an_hour_after_the_last_older_gateway(here: Scene) -> None:
    await sign(here, "old 1", packs=False)
    await sign(here, "old 2", packs=False)
    assert not await packed(here)
    await leave(here, "old 1")
    await sign(here, "new 1")
    here.real += SURE
    assert not await packed(here), "one is left"
    await leave(here, "old 2")
    assert not await packed(here)
    here.real += SURE - 10
    assert not await packed(here), "who goes back now finds all entries"
    here.real += 10
    assert await packed(here)


async def test_one_that_fell_silent_counts_for_an_hour(here: Scene) -> None:
    """It may be frozen, and go on with mail in hand."""
    await sign(here, "new 1")
    await sign(here, "old 1", packs=False, ago=3_540)
    here.real += 2 * SURE
    assert not await packed(here)
    await sign(here, "old 1", packs=False, ago=3_660)
    assert not await packed(here)
    here.real += SURE
    assert await packed(here)


async def test_going_back_ends_it_at_the_next_look(here: Scene) -> None:
    await sign(here, "new 1")
    assert await packed(here)
    await sign(here, "old 1", packs=False)
    assert not await packed(here)


async def test_no_copy_passes_a_gateway_of_the_version_before(here: Scene) -> None:
    """It reads strings: as long as it is about, the new one's entries are strings."""
    await sign(here, "old 1", packs=False)
    await here.attend()
    assert await here.send("initech", key=KEY) == 1
    await here.gateway.decide([Change(KEY, "me", 1, EntryState.SENT)])
    text = await here.core.admin.client.get(f"{here.core.admin.root}dup:{KEY}")
    assert cast(bytes, text).split()[0] == b"S"


async def test_without_a_process_the_word_stays_as_it_is(here: Scene) -> None:
    here.real += 2 * SURE
    assert await packed(here)
    await sign(here, "old 1", packs=False)
    assert not await packed(here)
    await leave(here, "old 1")
    here.real += 2 * SURE
    assert not await packed(here)


@pytest.mark.parametrize("known", [True, False])
async def test_a_rebuilt_ledger_is_written_as_those_who_are_there_read(
    here: Scene, known: bool
) -> None:
    await here.receipt("message7", key=KEY)
    await here.lose()
    await sign(here, "one", packs=known)
    await here.attend()
    assert await here.send("initech", key=KEY) == "S message7"
    client, root = cast(Any, here.core.admin.client), here.core.admin.root
    assert bool(await client.exists(f"{root}{BUCKETS}{KEY[:5]}")) == known
    assert bool(await client.exists(f"{root}dup:{KEY}")) != known


def test_every_process_of_this_version_says_that_it_packs() -> None:
    told = Bulletin(
        *cast(tuple[Any, Any, Any, Any], (None, "main", "one", None)),
        clock=lambda: 1.0,
        now=lambda: 1,
    )
    assert told._figures().packs
