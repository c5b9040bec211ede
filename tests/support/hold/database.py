"""A real hold for tests: PostgreSQL with the product's schema, and what lies in it."""

from typing import Any

import asyncpg


async def migrated(url: str) -> None:
    """Bring a template database to the newest schema."""
    # Alembic costs more to import than everything else that a run without a database needs.
    from control.store.migrate import migrate

    await migrate(url)


async def rows(url: str, where: str = "true") -> list[dict[str, Any]]:
    """Rows of the hold, oldest first."""
    link = await asyncpg.connect(url)
    try:
        found = await link.fetch(f"SELECT * FROM held WHERE {where} ORDER BY arrived, id")
        return [dict(row) for row in found]
    finally:
        await link.close()


async def states(url: str) -> dict[str, int]:
    """How many rows there are in each state."""
    link = await asyncpg.connect(url)
    try:
        return {
            row["state"]: row["n"]
            for row in await link.fetch("SELECT state, count(*) AS n FROM held GROUP BY state")
        }
    finally:
        await link.close()


async def execute(url: str, statement: str, *values: Any) -> None:
    """Change something behind the product's back."""
    link = await asyncpg.connect(url)
    try:
        await link.execute(statement, *values)
    finally:
        await link.close()
