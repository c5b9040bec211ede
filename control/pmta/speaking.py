"""Agents that ask for their server's configuration, and what each of them said last."""

from typing import Any

import msgspec

from control.pmta.offer import Applied
from control.problem import bad, missing
from control.store.database import Connection
from control.values.name import printable
from settings.statements import statements

_SQL = statements(__package__, "speaking")
_NAME = 64
_SENTENCES = 100
_SENTENCE = 500
"""Characters; what PowerMTA says of a line may hold the line."""


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, of which server."""

    server: str
    agent: str


def named(server: str, agent: str) -> Speaker:
    """Raises RefusedError (400)."""
    for field, text in (("server", server), ("agent", agent)):
        if not 1 <= len(text) <= _NAME or not printable(text):
            raise bad(field, f"1 to {_NAME} printable characters are wanted")
    return Speaker(server=server, agent=agent)


async def servers(connection: Connection) -> list[str]:
    """Those whose agent asks for their configuration, by name."""
    return [row["server"] for row in await connection.fetch(_SQL["servers"])]


async def there(pool: Any, server: str) -> None:
    """Raises RefusedError (404) for a server that is not."""
    if not await pool.fetchval(_SQL["there"], server):
        raise missing("PowerMTA server", server)


async def heard(pool: Any, who: Speaker, now: int) -> None:
    """An agent asks. `now`: milliseconds of the machine's clock. Raises RefusedError (404)."""
    await there(pool, who.server)
    await pool.execute(_SQL["heard"], who.server, who.agent, now)


async def fetched(pool: Any, server: str, offer: int) -> None:
    """It was given this offer: what it says from now on may be of it."""
    await pool.execute(_SQL["fetched"], server, offer)


async def keep(pool: Any, said: Applied, now: int) -> None:
    """In the place of what it said before. Raises RefusedError."""
    who = named(said.server, said.agent)
    if not await pool.fetchval(_SQL["there"], who.server):
        raise missing("PowerMTA server", who.server)
    kept = msgspec.structs.replace(
        said,
        problem=said.problem[:_SENTENCE],
        drift=[text[:_SENTENCE] for text in said.drift[:_SENTENCES]],
    )
    body = msgspec.json.encode(kept).decode().replace("\\u0000", "")
    await pool.execute(_SQL["said"], who.server, who.agent, now, body)
