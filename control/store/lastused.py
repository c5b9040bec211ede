"""When a key that others sign with was last used: so it is seen that nobody has the former one."""

import hashlib
from datetime import datetime

from control.store.database import Connection
from settings.statements import statements

_SQL = statements(__package__, "lastused")

WEBHOOK_KEY = "accounting.webhook_key"
EVERY = 60.0
"""Seconds between two notes of one key."""


def fingerprint(key: str) -> str:
    """Tells keys apart, and too short to guess one by."""
    return hashlib.sha256(b"sendgate fingerprint " + key.encode()).hexdigest()[:8]


async def note(pool: Connection, secret: str, key: str) -> None:
    """`key`, a value of the setting `secret`, was used."""
    await pool.execute(_SQL["used"], secret, fingerprint(key), EVERY)


async def held_with(connection: Connection) -> dict[str, int]:
    """How many held contents each key of hold.keys seals, by its ID."""
    return {row["key"]: row["messages"] for row in await connection.fetch(_SQL["held"])}


async def last_used(connection: Connection, secret: str) -> dict[str, datetime]:
    """By fingerprint."""
    return {row["fingerprint"]: row["used"] for row in await connection.fetch(_SQL["all"], secret)}
