"""When what waits will be gone, in days of the plan in force (`policy.forecast`)."""

import math
from datetime import date
from typing import Any, Literal

import msgspec

from policy.forecast import Backlog, Group, coming, waits
from policy.limits import day_of
from policy.plan import Generation


class ForecastRow(msgspec.Struct, frozen=True, kw_only=True):
    """One pool and provider."""

    tenant: str
    pool: str
    provider: str
    waiting: int
    """Without those an operator paused."""
    paused: int
    a_day: int | Literal["unlimited"]
    """Most recipients a full day has for them; other providers draw on the same IPs."""
    days: float | None
    """Projected full days until they are gone; null: nothing is coming for them."""
    gone: str
    """Date by which they are gone; empty: nobody knows."""


class HoldForecast(msgspec.Struct, frozen=True, kw_only=True):
    """A lower bound: new mail, mailbox limits and rates are not in it, nor a growing warm-up."""

    generation: int
    rows: list[ForecastRow]


def backlog(records: list[Any]) -> Backlog:
    """From the rows of statement `waiting`."""
    groups = {(r["pool"], r["provider"]): r["messages"] - r["paused"] for r in records}
    return Backlog(groups=groups)


def hold_forecast(records: list[Any], generation: Generation, now: int) -> HoldForecast:
    """`now` in milliseconds."""
    projected = waits(backlog(records), generation)
    rows = []
    for record in records:
        group = record["pool"], record["provider"]
        pool = generation.pool.get(record["pool"])
        size = coming(pool, generation.pool, generation.vmta, group[1]) if pool else 0
        days = projected.get(group, 0.0)
        rows.append(
            ForecastRow(
                tenant=record["tenant"],
                pool=group[0],
                provider=group[1],
                waiting=record["messages"] - record["paused"],
                paused=record["paused"],
                a_day="unlimited" if size is None else size,
                days=days if math.isfinite(days) else None,
                gone=gone(days, now),
            )
        )
    return HoldForecast(generation=generation.number, rows=rows)


def turn(records: list[Any], generation: Generation, group: Group, before: int, now: int) -> str:
    """When the message with so many before it goes, in words."""
    groups = backlog(records).groups | {group: before + 1}
    projected = waits(Backlog(groups=groups), generation)
    when = gone(projected.get(group, 0.0), now)
    if not when:
        return "nobody can say: no IP of its pool has a quota for its provider"
    return f"not after {when}, if each day's quota goes to what waits now"


def gone(days: float, now: int) -> str:
    """ISO date, empty when it cannot be told."""
    if not days < date.max.toordinal():
        return ""
    ordinal = date(1970, 1, 1).toordinal() + day_of(now) + math.ceil(days)
    return date.fromordinal(ordinal).isoformat() if ordinal <= date.max.toordinal() else ""
