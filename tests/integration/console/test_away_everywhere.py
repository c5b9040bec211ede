"""What every page says while a part is away or does not answer: never an error of ours, and never
that there is nothing."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest
import redis.asyncio
from yarl import URL

from control.console.views.pages import PAGES
from control.embedded.servers.valkey import LocalValkey
from control.parts import Parts
from tests.conftest import CreateDatabase
from tests.support.control.browsing import Browser, Seen
from tests.support.control.core import Api, api_of, build, control_core, settings_for
from tests.support.control.filled.filled import asked, fill, path_of
from tests.support.control.people import joined

EMPTY = re.compile(r'<p class="empty">([^<]*)')
PATIENT = 20.0
"""Seconds: longer than any part is waited for."""
PATHS = {
    **{path: path for path in ("/", "/account")},
    **{page.path: str(URL(path_of(page.path)).with_query(asked(page.path))) for page in PAGES},
}
OF_A_SESSION = ("session", "person", "person_tenant")
"""Tables without which nobody is known."""


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[LocalValkey]:
    """One of its own, which a test stops."""
    async with LocalValkey(tmp_path / "valkey") as started:
        yield started


@pytest.fixture
async def core(create_database: CreateDatabase, valkey: LocalValkey) -> AsyncIterator[Parts]:
    """On that, of little patience with PostgreSQL."""
    url = await create_database("control", build)
    settings = settings_for(url, valkey.url)
    database = msgspec.structs.replace(settings.database, timeout=2.0)
    settings = msgspec.structs.replace(settings, database=database)
    async with control_core(settings) as opened:
        yield opened


@pytest.fixture
async def api(core: Parts) -> AsyncIterator[Api]:
    async with api_of(core) as opened:
        await fill(opened, core)
        yield opened


@pytest.fixture
async def anna(api: Api, core: Parts) -> Browser:
    """Signed in while all was well."""
    await joined(core, api, "anna")
    browser = Browser(api)
    await browser.sign_in("anna")
    return browser


async def looked(anna: Browser) -> dict[str, Seen]:
    """All pages, each as it comes within the time that somebody has."""
    found = {}
    for path, at in PATHS.items():
        began = time.monotonic()
        async with asyncio.timeout(PATIENT):
            found[path] = await anna.at_once(at)
        assert time.monotonic() - began < PATIENT, path
    return found


def designed(well: dict[str, Seen], away: dict[str, Seen]) -> list[str]:
    """What is wrong with pages beside what they were while all was well, a line each."""
    wrong = []
    for path, seen in away.items():
        if not seen.headers["Content-Type"].startswith("text/html"):
            wrong.append(f"{path}: no page")
        if seen.status not in (200, 503):
            wrong.append(f"{path}: {seen.status}: {seen.words[-400:]}")
        if seen.status == 503 and "is away" not in seen.words:
            wrong.append(f"{path}: does not say what is away: {seen.words[-400:]}")
        new = set(EMPTY.findall(seen.text)) - set(EMPTY.findall(well[path].text))
        wrong += [f"{path}: says {said!r}" for said in new]
    return wrong


@asynccontextmanager
async def locked(core: Parts) -> AsyncIterator[None]:
    """Nobody reads a table but those of sessions: each look at one waits."""
    link = await asyncpg.connect(core.settings.database.url)
    try:
        rows = await link.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'p') AND relname <> ALL ($1) ORDER BY 1",
            OF_A_SESSION,
        )
        async with link.transaction():
            for row in rows:
                await link.execute(f'LOCK TABLE "{row["relname"]}" IN ACCESS EXCLUSIVE MODE')
            yield
    finally:
        await link.close()


@pytest.mark.parametrize("how", ["away", "silent"])
async def test_the_ledger_does_not_answer(anna: Browser, valkey: LocalValkey, how: str) -> None:
    well = await looked(anna)
    if how == "away":
        await valkey.stop()
    else:
        async with redis.asyncio.Redis.from_url(valkey.url) as client:
            await client.execute_command("CLIENT", "PAUSE", "600000", "ALL")
    wrong = designed(well, await looked(anna))
    assert not wrong, "\n".join(wrong)


async def test_postgresql_is_away(anna: Browser, core: Parts) -> None:
    well = await looked(anna)
    await core.pool.close()
    away = await looked(anna)
    assert designed(well, away) == []
    assert {seen.status for seen in away.values()} == {503}


async def test_postgresql_does_not_answer(anna: Browser, core: Parts) -> None:
    well = await looked(anna)
    async with locked(core):
        wrong = designed(well, await looked(anna))
    assert not wrong, "\n".join(wrong)
