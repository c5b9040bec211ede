"""Decisions as rows: one for each evidence, with its numbers and its sentence."""

from collections.abc import Iterable
from typing import Any

import msgspec

from control.store.database import Connection
from control.warmup.judge import Judged
from control.warmup.source import WHO, Source
from policy.isotime import instant
from policy.limits import day_of
from policy.warmup.decision import Decision
from policy.warmup.rule import Rule
from settings.statements import statements

_SQL = statements(__package__, "decision")


Stand = tuple[int | None, int | None, str]
"""Stage, quota and state."""


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided. Days of evidence are summed up: `counted`, those that earn a step;
    `watched`, all mail that the guard looked at."""

    id: int
    at: str
    tenant: str
    ip: str
    """Empty: of a whole pool."""
    pool: str
    provider: str
    """Empty: of all of them."""
    act: str
    """advance, finish, grow, hold, pause, step_back or resume; by hand also override."""
    rule: str
    sentence: str
    severity: str
    """Of the alert; empty: none."""
    stage_before: int | None
    stage_after: int | None
    quota_before: int | None
    quota_after: int | None
    state_before: str
    state_after: str
    counted: dict[str, int]
    watched: dict[str, int]
    thresholds: dict[str, float | str]
    who: str
    """warmup, or the token of a person."""
    reason: str
    """A person's."""


def thresholds(rule: Rule) -> dict[str, float | str]:
    """What evidence was held to, rates in per cent."""
    return {
        "bounces": round(rule.bounces.most * 100, 6),
        "bounces_healthy": round(rule.bounces.healthy * 100, 6),
        "complaints": round(rule.complaints.most * 100, 6),
        "complaints_healthy": round(rule.complaints.healthy * 100, 6),
        "doubt": rule.doubt,
        "min_use": rule.min_use,
        "guard": rule.guard,
    }


async def write(connection: Connection, now: int, rule: Rule, judged: Iterable[Judged]) -> int:
    """Those that were not written before for the same evidence; how many. In the order of the
    table's key."""
    new = 0
    for one in sorted(judged, key=lambda j: (j.source.name, j.provider)):
        of = one.decision
        new += await _add(
            connection,
            now,
            rule,
            of,
            whose=(one.source.tenant, one.source.name, one.source.ip, "", one.provider),
            before=(one.stage, one.quota, one.state),
            after=(one.stage and of.stage, one.quota_after, one.state_after),
            since=one.since,
        )
    return new


async def write_stop(
    connection: Connection, now: int, rule: Rule, whose: tuple[str, str, str], of: Decision
) -> int:
    """That a tenant's growth is stopped. `whose`: tenant, pool, provider."""
    tenant, pool, provider = whose
    nothing = (None, None, "")
    named = (tenant, "", "", pool, provider)
    return await _add(
        connection, now, rule, of, whose=named, before=nothing, after=nothing, since=0
    )


async def _add(
    connection: Connection,
    now: int,
    rule: Rule,
    of: Decision,
    *,
    whose: tuple[str, str, str, str, str],
    before: Stand,
    after: Stand,
    since: int,
    who: str = WHO,
    reason: str = "",
    act: str = "",
) -> int:
    values: tuple[Any, ...] = (
        *(now, day_of(now), *whose, act or of.act, of.rule, of.sentence, of.severity),
        *(before[0], after[0], before[1], after[1], before[2], after[2]),
        *(msgspec.to_builtins(of.counted), msgspec.to_builtins(of.watched), thresholds(rule)),
        *(who, reason, since),
    )
    return len(await connection.fetch(_SQL["add"], *values))


async def by_hand(
    connection: Connection,
    now: int,
    rule: Rule,
    whose: tuple[Source, str],
    said: tuple[str, str, str],
    *,
    before: Stand,
    after: Stand,
    who: str,
) -> None:
    """What a person decided. `whose`: IP and provider; `said`: what was done, its sentence, the
    reason."""
    source, provider = whose
    act, sentence, reason = said
    of = Decision(act="nothing", rule="hand", sentence=sentence, stage=0)
    named = (source.tenant, source.name, source.ip, "", provider)
    await _add(
        connection,
        *(now, rule, of),
        whose=named,
        before=before,
        after=after,
        since=source.since,
        who=who,
        reason=reason,
        act=act,
    )


async def decisions(
    connection: Connection,
    *,
    tenant: str | None = None,
    ip: str | None = None,
    act: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[DecisionView]:
    """The newest first; `before`: an id."""
    rows = await connection.fetch(_SQL["list"], tenant, ip, act, before, limit)
    return [
        DecisionView(
            at=instant(row["at"]),
            **{name: row[name] for name in DecisionView.__struct_fields__ if name != "at"},
        )
        for row in rows
    ]
