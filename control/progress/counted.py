"""What the ledger counts of mailboxes, read for people: it takes part in no decision."""

from collections.abc import Sequence
from typing import NamedTuple

from redis.asyncio import Redis

from policy.ledger.mailboxes import every, records
from policy.mailbox import Record
from policy.model import SHARED_MAILBOX


class Counted(NamedTuple):
    """Of one mailbox."""

    sent: int = 0
    """Recipients charged today."""
    before: int = 0
    """The same of yesterday."""
    last: int = 0
    """When it sent last, ledger milliseconds; 0: not known."""
    first: int = -1
    """Day its ramp counts from; -1: it never sent, or was idle for long."""


async def of_tenant(client: Redis, root: str, tenant: str, day: int) -> dict[str, Counted]:
    """All that the ledger knows, as they count on `day`. Raises redis-py's errors."""
    found = {
        name: _counted(record)
        async for some in every(client, root, tenant, day)
        for name, record in some
    }
    found.pop(SHARED_MAILBOX, None)
    return found


async def of_mailboxes(
    client: Redis, root: str, tenant: str, mailboxes: Sequence[str], day: int
) -> list[Counted]:
    """Of some, in their order. Raises redis-py's errors."""
    return [_counted(record) for record in await records(client, root, tenant, mailboxes, day)]


def _counted(record: Record | None) -> Counted:
    if record is None:
        return Counted()
    return Counted(record.count, record.before, record.last, record.first)
