"""Suppressions in a database, as control writes them, and a gateway that follows them quickly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from control.store.database import open_pool
from control.suppressions.entry import NewSuppression
from control.suppressions.suppressions import Suppressions
from settings.model import Database, Settings
from settings.suppressions import Suppressions as SuppressionSettings
from tests.support.gateway.worker import holding

QUICK = {"poll": 0.1}


async def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def suppressions(url: str) -> AsyncIterator[Suppressions]:
    """Control's door to them."""
    pool = await open_pool(Database(url=url, connections=2))
    try:
        yield Suppressions(pool, _now, SuppressionSettings(), b"secret")
    finally:
        await pool.close()


async def suppress(url: str, *addresses: str, **fields: Any) -> None:
    """For all tenants, unless `fields` (of `NewSuppression`) say whose."""
    async with suppressions(url) as door:
        for address in addresses:
            wanted = NewSuppression(address=address, **fields)
            await door.add("test", wanted, by="hand", dry=False)


async def forgive(url: str, address: str, tenant: str = "") -> None:
    """It gets mail again."""
    async with suppressions(url) as door:
        await door.remove("test", tenant, address, reason="", dry=False)


def following(
    valkey_url: str, postgres_url: str, state: Path, **changes: dict[str, Any]
) -> Settings:
    """As `holding`, with a lasting folder, and quick to see a change."""
    gateway = {"state_dir": str(state), **changes.pop("gateway", {})}
    return holding(valkey_url, postgres_url, gateway=gateway, suppressions=QUICK, **changes)
