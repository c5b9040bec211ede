"""What a person does to an IP's warm-up: with a reason, and an end that is known beforehand.

Rule: an act by hand stands until its end, and warm-up does nothing against it but what the guard
proves, which it says. Another act in its place is refused: the first is cancelled, or over.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from control.plan import rows
from control.plan.compile import plans_of
from control.problem import RefusedError, missing, taken
from control.sources import ip as ips
from control.sources.ip import IpChange
from control.store.change import Act
from control.values.ip import normal_ip
from control.values.provider import ProviderText, known_provider
from control.values.reason import LONGEST
from control.values.wanted import meant
from control.warmup.decision import Stand, by_hand
from control.warmup.rule import rule_of
from control.warmup.source import Kept, Source, keep, plan_of, quota_of, sources, states
from policy.limits import DAY
from policy.warmup.plan import Plan
from settings.model import Warmup

STANDS = 7
"""Days for which an act stands where nothing else is said."""


class HandAct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do. `advance`: one stage further, now; `pause`: send nothing; `resume`: send again,
    and let the plan decide where a quota of its own did; `override`: keep the stage, whatever the
    evidence says; `cancel`: what stands by hand stands no more."""

    action: Literal["advance", "pause", "resume", "override", "cancel"]
    reason: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)],
        meant("Why; it stands beside the decision."),
    ]
    days: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=365)] | None,
        meant(f"Days after which it ends; else {STANDS}, and of a pause by hand alone."),
    ] = None
    provider: Annotated[
        ProviderText | None,
        meant("At this provider alone."),
    ] = None
    stage: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=520)] | None,
        meant("With advance or resume: the stage it goes on at."),
    ] = None


async def do(act: Act, address: str, wanted: HandAct, *, warmup: Warmup) -> str:
    """Returns the IP in its usual spelling. Raises RefusedError."""
    address = normal_ip(address)
    found = await sources(act.connection, ips=[address])
    if not found:
        raise missing("IP", address)
    source = found[0]
    provider = "" if wanted.provider is None else known_provider(wanted.provider)
    if wanted.stage is not None and wanted.action not in ("advance", "resume"):
        raise taken("stage", f"{wanted.action} keeps the stage: leave it out")
    rows_ = await states(act.connection, [source.name])
    row = rows_.get((source.name, provider)) or Kept(vmta=source.name, provider=provider)
    plans = plans_of(await rows.stages(act.connection), warmup)
    now = round(act.now.timestamp() * 1000)
    standing = row.standing(now)
    if standing and wanted.action in ("advance", "override"):
        raise RefusedError(
            f"{standing} stands already: `sendgate warmup cancel {address}` ends it first"
        )
    before = _stand(source, row, plans)
    if provider:
        sentence = await _at_provider(act, source, row, wanted, plans, now)
    else:
        sentence = await _of_ip(act, source, row, wanted, plans, now, warmup)
    after = (await sources(act.connection, ips=[address]))[0]
    left = (await states(act.connection, [source.name])).get((source.name, provider), row)
    await by_hand(
        *(act.connection, now, rule_of(warmup)),
        (source, provider),
        (wanted.action, sentence, wanted.reason),
        before=before,
        after=_stand(after, left, plans),
        who=act.who,
    )
    named = f"{address} {provider}".strip()
    await act.audit(
        f"warmup.{wanted.action}",
        named,
        msgspec.to_builtins(row),
        msgspec.to_builtins(left),
        wanted.reason,
    )
    act.note(sentence)
    return address


async def _of_ip(
    act: Act,
    source: Source,
    row: Kept,
    wanted: HandAct,
    plans: Mapping[str, Plan],
    now: int,
    warmup: Warmup,
) -> str:
    reason, name = wanted.reason, source.ip
    if wanted.action == "pause":
        if source.state == "paused":
            raise RefusedError(f"IP {name} is paused already: resume it first for another end")
        await ips.change(act, name, IpChange(state="pause", reason=reason), warmup=warmup)
        until = None if wanted.days is None else now // DAY + wanted.days
        await keep(
            act.connection,
            msgspec.structs.replace(row, since=now, cool_until=until, cool_same=True),
        )
        return f"{name} is paused{_for(wanted.days)}"
    if wanted.action == "resume":
        back = None if source.on_plan else "plan"
        change = IpChange(quota=back, stage=wanted.stage, state="resume", reason=reason)
        await ips.change(act, name, change, warmup=warmup)
        return f"{name} sends as its plan says"
    if wanted.action == "cancel":
        await keep(act.connection, _cancelled(row, now, name))
        return f"{name}: what stood by hand stands no more"
    if wanted.action == "override":
        kept, days = _standing(row, f"kept as it is: {reason}", act.who, wanted.days, now)
        await keep(act.connection, kept)
        return f"{name} is kept as it is for {days} days"
    plan = plan_of(source, plans)
    if not source.on_plan or plan is None or source.stage is None:
        raise RefusedError(f"IP {name} is not on a warm-up plan: `sendgate warmup resume {name}`")
    stage = source.stage + 1 if wanted.stage is None else wanted.stage
    if stage <= source.stage or stage > len(plan.stages):
        raise RefusedError(
            f"IP {name} is at stage {source.stage} of {len(plan.stages)}: it cannot advance to "
            f"{stage}"
        )
    await ips.change(act, name, IpChange(stage=stage, reason=reason), warmup=warmup)
    kept, days = _standing(row, f"moved to stage {stage}: {reason}", act.who, wanted.days, now)
    await keep(act.connection, kept)
    return f"{name} is at stage {stage}, and stays there for {days} days"


async def _at_provider(
    act: Act,
    source: Source,
    row: Kept,
    wanted: HandAct,
    plans: Mapping[str, Plan],
    now: int,
) -> str:
    name = f"{row.provider} at {source.ip}"
    if wanted.action == "pause":
        if row.paused:
            raise RefusedError(f"{name} is paused already: resume it first for another end")
        until = None if wanted.days is None else now // DAY + wanted.days
        after = msgspec.structs.replace(
            row, paused=True, since=now, cool_until=until, cool_same=True
        )
        await keep(act.connection, after)
        return f"{name} is paused{_for(wanted.days)}"
    if wanted.action == "cancel":
        await keep(act.connection, _cancelled(row, now, name))
        return f"{name}: what stood by hand stands no more"
    if wanted.action == "override":
        kept, days = _standing(row, f"kept as it is: {wanted.reason}", act.who, wanted.days, now)
        await keep(act.connection, kept)
        return f"{name} is kept as it is for {days} days"
    plan, of_ip = plan_of(source, plans), source.stage or 1
    if wanted.action == "advance" and (not source.on_plan or plan is None or row.stage is None):
        raise RefusedError(f"{name} is where its IP is: advance the IP")
    stage = wanted.stage
    if wanted.action == "advance":
        stage = (row.stage or 1) + 1 if stage is None else stage
    elif stage is None:
        stage = row.stage
    if stage is not None and (stage > of_ip or not source.on_plan):
        raise RefusedError(f"{name} cannot be at stage {stage}: its IP is at {of_ip}")
    after = msgspec.structs.replace(
        row,
        stage=None if stage is None or stage == of_ip else stage,
        paused=row.paused and wanted.action == "advance",
        since=now,
        earned=None,
        earned_on=None,
        cool_until=None if wanted.action == "resume" else row.cool_until,
    )
    if wanted.action == "advance":
        after, _ = _standing(
            after, f"moved to stage {stage}: {wanted.reason}", act.who, wanted.days, now
        )
    await keep(act.connection, after)
    return f"{name} is at stage {stage or of_ip}"


def _standing(row: Kept, words: str, who: str, days: int | None, now: int) -> tuple[Kept, int]:
    days = STANDS if days is None else days
    until = now + days * DAY
    return msgspec.structs.replace(
        row, override=words, override_until=until, override_who=who
    ), days


def _cancelled(row: Kept, now: int, name: str) -> Kept:
    if not row.standing(now):
        raise RefusedError(f"nothing stands by hand of {name}")
    return msgspec.structs.replace(row, override="", override_until=None, override_who="")


def _for(days: int | None) -> str:
    return " until it is resumed" if days is None else f" for {days} days"


def _stand(source: Source, row: Kept, plans: Mapping[str, Plan]) -> Stand:
    plan = plan_of(source, plans)
    if row.provider:
        stage = source.stage if row.stage is None else row.stage
        return (stage if source.on_plan else None, None, "paused" if row.paused else "warming")
    quota = None if plan is None or source.quota_source == "unlimited" else quota_of(source, plan)
    return (source.stage if source.on_plan else None, quota, source.state)
