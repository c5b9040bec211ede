"""What the ledger counts of IPs' days, read for carry-over, and the openings written for it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import msgspec
from redis.asyncio import Redis

from policy.ledger.known import chunks
from policy.ledger.scripts import source

TOTAL = ""
"""In place of a provider: all of them."""


class DayCounts(msgspec.Struct, frozen=True):
    """Recipients of one IP's day, by provider and in all (`TOTAL`)."""

    charged: Mapping[str, int]
    """Granted by gateways: without what went around them, whose fate carry-over does not follow."""
    opening: Mapping[str, int]
    """As it was published; empty: never."""
    around: Mapping[str, int] = {}
    """What went around the gateways and was charged, by provider."""


class Opening(NamedTuple):
    """What a day of an IP opens at."""

    ip: str
    day: int
    total: int
    by_provider: Mapping[str, int]


async def day_counts(
    client: Redis, root: str, ips: Iterable[str], days: Iterable[int]
) -> dict[tuple[str, int], DayCounts]:
    """By IP and day; days without any are left out. They are readable for a week."""
    wanted = list(days)
    found = {}
    for chunk in chunks((ip, day) for ip in ips for day in wanted):
        pairs = [str(one) for pair in chunk for one in pair]
        answer = await cast(Any, client.eval(source("days"), 1, root, *pairs))
        for index, *counted in answer:
            row = dict(zip(counted[::2], counted[1::2], strict=True))
            found[chunk[int(index) - 1]] = _counts(row)
    return found


async def set_openings(client: Redis, root: str, openings: Iterable[Opening]) -> None:
    """Publish them, each in one step. The days' own charges stay as they are. Raises redis-py's
    errors: also where no plan is in force."""
    for chunk in chunks(openings):
        async with client.pipeline(transaction=False) as pipe:
            for one in chunk:
                pairs = [x for pair in sorted(one.by_provider.items()) for x in pair]
                arguments: list[Any] = [root, one.ip, one.day, one.total, "", *pairs]
                pipe.eval(source("opening"), 1, *arguments)
            await pipe.execute()


async def clear_days(client: Redis, root: str, ips: Iterable[str], days: Iterable[int]) -> None:
    """Let go of days that nobody asks for any more. Raises redis-py's errors; again it is the
    same."""
    wanted = list(days)
    for chunk in chunks((ip, day) for ip in ips for day in wanted):
        async with client.pipeline(transaction=False) as pipe:
            for ip, day in chunk:
                pipe.unlink(f"{root}day:{day}:{ip}")
            await pipe.execute()


def _counts(row: dict[bytes, bytes]) -> DayCounts:
    values = {field.decode(): int(value) for field, value in row.items()}
    around = {name[2:]: count for name, count in values.items() if name.startswith("x:")}
    charged = {
        name[2:]: max(0, count - around.get(name[2:], 0))
        for name, count in values.items()
        if name.startswith("n:")
    }
    charged[TOTAL] = max(0, values.get("n", 0) - sum(around.values()))
    opening = {name[2:]: count for name, count in values.items() if name.startswith("o:")}
    if "o" in values:
        opening[TOTAL] = values["o"]
    return DayCounts(charged, opening, around)
