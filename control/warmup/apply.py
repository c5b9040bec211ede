"""What a decision changes: through the door of an operator's change, in the caller's transaction,
which publishes it."""

import msgspec

from control.sources import ip
from control.sources.ip import IpChange
from control.store.change import Act
from control.warmup.judge import Judged, end_of
from control.warmup.source import Kept, States, keep
from policy.limits import day_of
from policy.warmup.following import stage_after
from settings.model import Warmup


async def apply(act: Act, one: Judged, states: States, warmup: Warmup) -> None:
    """Raises RefusedError."""
    now = act.milliseconds
    row = states.get((one.source.name, one.provider))
    row = row or Kept(vmta=one.source.name, provider=one.provider)
    if one.provider:
        await _provider(act, one, row, now, warmup)
    else:
        await _ip(act, one, row, now, warmup)


async def _ip(act: Act, one: Judged, row: Kept, now: int, warmup: Warmup) -> None:
    found, source = one.decision, one.source
    reason = found.sentence
    change = {
        "advance": IpChange(stage=found.stage, reason=reason),
        "step_back": IpChange(stage=found.stage, reason=reason),
        "pause": IpChange(state="pause", reason=reason),
        "resume": IpChange(
            state="resume", stage=found.stage if source.on_plan else None, reason=reason
        ),
        "finish": IpChange(reason=reason),
        "grow": IpChange(reason=reason),
    }[found.act]
    await ip.change(
        act,
        source.ip,
        change,
        warmup=warmup,
        finished=found.act == "finish",
        grown=found.quota if found.act == "grow" else None,
    )
    row = msgspec.structs.replace(row, earned=None, earned_on=None, cool_until=None)
    if found.act == "advance":
        row = msgspec.structs.replace(row, earned=list(one.earned), earned_on=day_of(now))
    elif found.act == "pause":
        until = end_of(warmup.cool_down, now)
        row = msgspec.structs.replace(row, since=now, cool_until=until, cool_same=False)
    elif found.rule == "idle":
        before = row.idle_taken if row.idle_mail == one.last_mail else 0
        taken = before + (one.stage or 1) - found.stage
        row = msgspec.structs.replace(row, idle_mail=one.last_mail, idle_taken=taken)
    await keep(act.connection, row)


async def _provider(act: Act, one: Judged, row: Kept, now: int, warmup: Warmup) -> None:
    """A stage that is the IP's again is none of its own."""
    found = one.decision
    stage = row.stage if found.act == "pause" else None
    if one.source.on_plan:
        counted = one.stage or one.of_ip
        stage = stage_after(found, own=row.stage, stage=counted, of_ip=one.of_ip)
    after = msgspec.structs.replace(
        row, since=now, stage=stage, paused=False, earned=None, earned_on=None, cool_until=None
    )
    if found.act == "advance":
        after = msgspec.structs.replace(after, earned=list(one.earned), earned_on=day_of(now))
    elif found.act == "pause":
        until = end_of(warmup.cool_down, now)
        after = msgspec.structs.replace(after, paused=True, cool_until=until, cool_same=False)
    elif found.act == "hold":
        # Its IP goes on: it stays behind, and its window with it.
        after = msgspec.structs.replace(after, since=one.since)
    await keep(act.connection, after)
    await act.audit(
        "warmup.provider",
        f"{one.source.ip} {one.provider}",
        {"stage": row.stage, "paused": row.paused},
        {"stage": after.stage, "paused": after.paused},
        found.sentence,
        tenant=one.source.tenant,
    )
