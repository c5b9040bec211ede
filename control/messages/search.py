"""Searching what became of messages."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from control.messages.outcome import MessagePage, looked_for, message_view
from control.problem import bad
from settings.model import Log
from settings.statements import statements

_SQL = statements(__package__, "outcome")


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Every one that is given must match. `to` in its one spelling, times in milliseconds."""

    to: str | None = None
    tenant: str | None = None
    message: str | None = None
    since: int | None = None
    before: int | None = None
    limit: int = 100


Search = Callable[[MessageFilter], Awaitable[MessagePage]]
"""`search` of one database."""


async def forget(connection: Any, recipient: str, tenant: str | None, log: Log) -> None:
    """Take an address, in its one spelling, out of what became of its messages."""
    spelt = [recipient, looked_for(recipient, log.addresses, log.key)]
    await connection.execute(_SQL["forget"], spelt, tenant)


async def search(pool: Any, wanted: MessageFilter, log: Log) -> MessagePage:
    """Newest first. Raises RefusedError."""
    to = wanted.to
    if to is not None:
        if log.addresses == "hashed" and not log.key:
            raise bad("to", "gateways write digests of a random key: set log.key to search by it")
        to = looked_for(to, log.addresses, log.key)
    rows = await pool.fetch(
        _SQL["search"],
        *(to, wanted.tenant, wanted.message, wanted.since, wanted.before, wanted.limit + 1),
    )
    page = rows[: wanted.limit]
    ids = sorted({row["message"] for row in page})
    states = {row["id"]: row["state"] for row in await pool.fetch(_SQL["states"], ids)}
    return MessagePage(
        messages=[message_view(row, states.get(row["message"], "")) for row in page],
        before=page[-1]["at"] if len(rows) > wanted.limit else None,
    )
