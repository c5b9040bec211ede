"""Health: rows of what was found, for people, for the metric and for alerts."""

from collections.abc import Sequence
from typing import Any

import msgspec

from policy.isotime import instant
from settings.statements import statements

_SQL = statements(__package__, "health")

OLD = 86_400_000
"""Milliseconds after which what nobody looked at any more (a server that was removed) is not
shown."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Of one part."""

    service: str
    """valkey, postgresql, pmta, gateway, accounting or disk."""
    name: str = ""
    """Which of several; empty: there is one."""
    healthy: bool
    detail: str
    """One sentence, with its numbers."""


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """Of one part, as it was found last."""

    service: str
    name: str
    healthy: bool
    detail: str
    at: str
    """When it was looked at, ISO time."""
    since: str
    """Since when it is so."""


async def put(pool: Any, now: int, found: Sequence[Found]) -> None:
    """What one look found. Calendar milliseconds."""
    rows = [(one.service, one.name, one.healthy, one.detail) for one in found]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await pool.execute(_SQL["put"], now, *columns)
    await pool.execute(_SQL["gone"], now - OLD)


async def health(pool: Any) -> list[HealthView]:
    """All parts, those that are not well among them."""
    return [
        HealthView(
            service=row["service"],
            name=row["name"],
            healthy=row["healthy"],
            detail=row["detail"],
            at=instant(row["at"]),
            since=instant(row["since"]),
        )
        for row in await pool.fetch(_SQL["list"])
    ]


def by_service(views: Sequence[HealthView]) -> dict[str, bool]:
    """Whether all of a service are well."""
    found: dict[str, bool] = {}
    for one in views:
        found[one.service] = found.get(one.service, True) and one.healthy
    return found
