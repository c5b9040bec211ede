"""What limits of a minute and an hour have used, read: reading takes part in no decision.

Not here: counting (`rating.lua`), the rule (`policy.rolling`). What gateways of a version before
counted by the calendar is seen from the next decision on.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis

from policy.ledger.scripts import source
from policy.mailbox import rate_of
from policy.model import OFF, Rate, Tenant

AT_ONCE = 500
"""Scopes of one call: about a millisecond of the server, of all that are full three."""

NEVER = -1


class Used(NamedTuple):
    """Of one span, in recipients."""

    used: int = 0
    free: int = 0
    """When one more fits, ledger milliseconds; 0: now; `NEVER`."""


NOTHING = (Used(), Used())


async def rates_used(
    client: Redis, root: str, asked: Sequence[tuple[str, Rate]]
) -> list[tuple[Used, Used]]:
    """A minute's and an hour's of each scope; of a span without a limit nothing. Raises redis-py's
    errors."""
    found: list[tuple[Used, Used]] = []
    for begin in range(0, len(asked), AT_ONCE):
        arguments: list[str | int] = []
        for scope, rate in asked[begin : begin + AT_ONCE]:
            minute, hour = rate.minute, rate.hour
            arguments += [scope, -1 if minute is None else minute, -1 if hour is None else hour]
        _, *answer = await cast(Any, client).eval(source("rates"), 1, root, *arguments)
        found += [
            (Used(int(used), int(free)), Used(int(more), int(later)))
            for used, free, more, later in answer
        ]
    return found


async def mailboxes_used(
    client: Redis, root: str, tenants: Sequence[Tenant], mailboxes: Sequence[str]
) -> list[tuple[Used, Used]]:
    """Of mailboxes; those without a limit are not asked for. Raises redis-py's errors."""
    rates = [
        rate_of(tenant, tenant.mailboxes.get(mailbox))
        for tenant, mailbox in zip(tenants, mailboxes, strict=True)
    ]
    asked = [
        (f"m:{tenant.name}:{mailbox}", rate)
        for tenant, mailbox, rate in zip(tenants, mailboxes, rates, strict=True)
        if rate != OFF
    ]
    found = iter(await rates_used(client, root, asked) if asked else ())
    return [NOTHING if rate == OFF else next(found) for rate in rates]
