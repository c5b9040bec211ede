"""Decisions as rows: one for each evidence, with its numbers and its sentence."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from control.store.database import Connection
from control.values.ip import IpText, normal_ip
from control.values.query import Limit, Seen
from control.values.wanted import meant
from control.warmup.judge import Judged
from control.warmup.source import WHO, Source
from policy.isotime import instant
from policy.limits import day_of
from policy.model import Name
from policy.warmup.decision import Decision
from policy.warmup.rule import Rule
from settings.statements import statements

_SQL = statements(__package__, "decision")


Stand = tuple[int | None, int | None, str]
"""Stage, quota and state."""


Kind = Literal[
    "advance", "finish", "grow", "hold", "pause", "step_back", "resume", "override", "cancel"
]
"""What is written down: by the rule, or by hand (the last two are by hand alone)."""


class DecisionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every one that is given must match."""

    tenant: Annotated[Name | None, meant("Only of this tenant.")] = None
    ip: Annotated[IpText | None, meant("Only of this IP.")] = None
    act: Annotated[Kind | None, meant("Only this kind.")] = None
    before: Annotated[Seen | None, meant("The `before` of the page before.")] = None
    limit: Annotated[Limit, meant("At most so many, 1 to 1000; 100.")] = 100


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


class DecisionPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    decisions: list[DecisionView]
    before: int | None
    """`before` of the page that follows; null: this is the last."""


async def decisions(connection: Connection, wanted: DecisionQuery) -> DecisionPage:
    """The newest first. Raises RefusedError."""
    ip = None if wanted.ip is None else normal_ip(wanted.ip)
    asked = (wanted.tenant, ip, wanted.act, wanted.before or None)
    rows = await connection.fetch(_SQL["list"], *asked, wanted.limit + 1)
    found = [
        DecisionView(
            at=instant(row["at"]),
            **{name: row[name] for name in DecisionView.__struct_fields__ if name != "at"},
        )
        for row in rows[: wanted.limit]
    ]
    return DecisionPage(decisions=found, before=found[-1].id if len(rows) > wanted.limit else None)
