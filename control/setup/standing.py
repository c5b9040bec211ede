"""How far a host has come, by what PostgreSQL has."""

import msgspec

from control.store.database import DatabaseRefusedError, open_pool
from control.store.refusal import NO_SCHEMA, UNREACHABLE
from settings.model import Database
from settings.statements import statements

_SQL = statements(__package__, "standing")


async def known(database: Database) -> dict[str, int] | None:
    """How many servers, tenants, domains and tokens there are; None: no schema, or no answer."""
    try:
        pool = await open_pool(msgspec.structs.replace(database, connections=1))
    except (*UNREACHABLE, DatabaseRefusedError, ValueError):
        return None
    try:
        return dict(await pool.fetchrow(_SQL["known"]))
    except NO_SCHEMA:
        return None
    finally:
        await pool.close()
