"""When what waits will be gone, in days of the plan in force (`policy.forecast`)."""

import math
from typing import Any, Literal

import msgspec

from policy.forecast import Backlog, Group, coming, gone_by, waits
from policy.isotime import not_before
from policy.limits import opens_at
from policy.model import Window
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
    """UTC date by which they are gone; empty: nobody knows."""
    opens: str = ""
    """When the tenant's sending hours begin; empty: it has none, or they are now."""


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
        hours = _hours(generation, record["tenant"])
        rows.append(
            ForecastRow(
                tenant=record["tenant"],
                pool=group[0],
                provider=group[1],
                waiting=record["messages"] - record["paused"],
                paused=record["paused"],
                a_day="unlimited" if size is None else size,
                days=days if math.isfinite(days) else None,
                gone=_gone(days, now, hours),
                opens=_opens(hours, now),
            )
        )
    return HoldForecast(generation=generation.number, rows=rows)


def turn(
    records: list[Any], generation: Generation, tenant: str, group: Group, before: int, now: int
) -> str:
    """When the message with so many before it goes, in words."""
    groups = backlog(records).groups | {group: before + 1}
    projected = waits(Backlog(groups=groups), generation)
    hours = _hours(generation, tenant)
    when = _gone(projected.get(group, 0.0), now, hours)
    if not when:
        return "nobody can say: no IP of its pool has a quota for its provider"
    text = f"not after {when}, if each day's quota goes to what waits now"
    opens = _opens(hours, now)
    return f"{text}; the sending hours begin {opens}" if opens else text


def _hours(generation: Generation, tenant: str) -> Window | None:
    found = generation.tenant.get(tenant)
    return found.window if found else None


def _opens(hours: Window | None, now: int) -> str:
    at = opens_at(hours, now)
    return not_before(at) if at else ""


def _gone(days: float, now: int, hours: Window | None) -> str:
    """ISO date, empty when it cannot be told."""
    found = gone_by(days, now, hours)
    return found.isoformat() if found else ""
