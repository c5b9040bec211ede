"""What a person does to an IP's warm-up: with a reason, and an end that is known beforehand.

Rule: an act by hand stands until its end, and warm-up does nothing against it but what the guard
proves, which it says. Another act in its place is refused: the first is cancelled, or over.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

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
from policy.isotime import date_of, instant
from policy.limits import DAY
from policy.number import count
from policy.warmup.plan import Plan
from settings.model import Warmup

STANDS = 7
"""Days for which an act stands where nothing else is said."""


Action = Literal["advance", "pause", "resume", "override", "cancel"]


class HandAct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do. `advance`: one stage further, now; `pause`: send nothing; `resume`: send again,
    and let the plan decide where a quota of its own did; `override`: keep the stage, whatever the
    evidence says; `cancel`: what stands by hand stands no more."""

    action: Action
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
    now = act.milliseconds
    standing = row.standing(now)
    if standing and wanted.action in ("advance", "override"):
        raise RefusedError(
            f"{standing} stands already: `sendgate warmup cancel {address}` ends it first"
        )
    before = _stand(source, row, plans)
    on = _On(act, source, row, wanted, plan_of(source, plans), now, warmup)
    sentence = await _ACTS[wanted.action](on)
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
        _told(row),
        _told(left),
        wanted.reason,
        tenant=source.tenant,
    )
    act.note(sentence)
    return address


def _told(row: Kept) -> dict[str, Any]:
    """As people read it in the audit log: times and days as such."""
    found = msgspec.to_builtins(row)
    for moment in ("since", "override_until"):
        if found[moment] is not None:
            found[moment] = instant(found[moment])
    for day in ("cool_until", "earned_on"):
        if found[day] is not None:
            found[day] = date_of(found[day])
    return dict(found)


class _On(NamedTuple):
    """What an act is done to: an IP, or one provider at it."""

    act: Act
    source: Source
    row: Kept
    wanted: HandAct
    plan: Plan | None
    now: int
    warmup: Warmup

    @property
    def name(self) -> str:
        """As sentences call it."""
        return f"{self.row.provider} at {self.source.ip}" if self.row.provider else self.source.ip

    async def change(self, **change: Any) -> None:
        """The IP itself, as any other change of it."""
        wanted = IpChange(**change, reason=self.wanted.reason)
        await ips.change(self.act, self.source.ip, wanted, warmup=self.warmup)

    async def keep(self, **columns: Any) -> None:
        """What is kept of it."""
        await keep(self.act.connection, msgspec.structs.replace(self.row, **columns))

    def stands(self, words: str) -> tuple[int, dict[str, Any]]:
        """For how many days an act stands, and its columns."""
        days = STANDS if self.wanted.days is None else self.wanted.days
        return days, {
            "override": f"{words}: {self.wanted.reason}",
            "override_until": self.now + days * DAY,
            "override_who": self.act.who,
        }


async def _pause(on: _On) -> str:
    of_ip, days = not on.row.provider, on.wanted.days
    if on.source.state == "paused" if of_ip else on.row.paused:
        whole = f"IP {on.name}" if of_ip else on.name
        raise RefusedError(f"{whole} is paused already: resume it first for another end")
    if of_ip:
        await on.change(state="pause")
    until = None if days is None else on.now // DAY + days
    await on.keep(paused=on.row.paused or not of_ip, since=on.now, cool_until=until, cool_same=True)
    until_when = "until it is resumed" if days is None else f"for {count(days, 'day')}"
    return f"{on.name} is paused {until_when}"


async def _cancel(on: _On) -> str:
    if not on.row.standing(on.now):
        raise RefusedError(f"nothing stands by hand of {on.name}")
    await on.keep(override="", override_until=None, override_who="")
    return f"{on.name}: what stood by hand stands no more"


async def _override(on: _On) -> str:
    days, columns = on.stands("kept as it is")
    await on.keep(**columns)
    return f"{on.name} is kept as it is for {count(days, 'day')}"


async def _elsewhere(on: _On) -> str:
    """Where it is, behind a sentence that says where it is not."""
    found = await states(on.act.connection, [on.source.name])
    at = sorted(row.provider for row in found.values() if row.provider and row.paused)
    how = f"`sendgate warmup resume {on.source.ip} --provider {at[0]}`" if at else ""
    return f", only at {', '.join(at)}: {how}" if at else ""


async def _resume(on: _On) -> str:
    if on.row.provider:
        return await _at_stage(on, on.wanted.stage or on.row.stage, paused=False, cool_until=None)
    back = None if on.source.on_plan else "plan"
    if back is None and on.wanted.stage is None and on.source.state != "paused":
        raise RefusedError(f"IP {on.name} is not paused{await _elsewhere(on)}")
    await on.change(quota=back, stage=on.wanted.stage, state="resume")
    return f"{on.name} sends as its plan says"


async def _advance(on: _On) -> str:
    source, name, wanted = on.source, on.name, on.wanted.stage
    if on.row.provider:
        if not source.on_plan or on.plan is None or on.row.stage is None:
            raise RefusedError(f"{name} is where its IP is: advance the IP")
        stage = on.row.stage + 1 if wanted is None else wanted
        return await _at_stage(on, stage, **on.stands(f"moved to stage {stage}")[1])
    if not source.on_plan or on.plan is None or source.stage is None:
        raise RefusedError(
            f"IP {name} is not on a warm-up plan: `sendgate warmup resume {name} --reason …`"
        )
    stage, stages = source.stage + 1 if wanted is None else wanted, len(on.plan.stages)
    if stage <= source.stage or stage > stages:
        raise RefusedError(
            f"IP {name} is at stage {source.stage} of {stages}: it cannot advance to {stage}"
        )
    await on.change(stage=stage)
    days, columns = on.stands(f"moved to stage {stage}")
    await on.keep(**columns)
    return f"{name} is at stage {stage}, and stays there for {count(days, 'day')}"


async def _at_stage(on: _On, stage: int | None, **columns: Any) -> str:
    """A provider at the stage, never above its IP's; None: at the IP's."""
    of_ip = on.source.stage or 1
    if stage is not None and (stage > of_ip or not on.source.on_plan):
        raise RefusedError(f"{on.name} cannot be at stage {stage}: its IP is at {of_ip}")
    kept = None if stage == of_ip else stage
    await on.keep(**{"stage": kept, "since": on.now, "earned": None, "earned_on": None, **columns})
    return f"{on.name} is at stage {stage or of_ip}"


_ACTS: dict[Action, Callable[[_On], Awaitable[str]]] = {
    "advance": _advance,
    "pause": _pause,
    "resume": _resume,
    "override": _override,
    "cancel": _cancel,
}


def _stand(source: Source, row: Kept, plans: Mapping[str, Plan]) -> Stand:
    plan = plan_of(source, plans)
    if row.provider:
        stage = source.stage if row.stage is None else row.stage
        return (stage if source.on_plan else None, None, "paused" if row.paused else "warming")
    quota = None if plan is None or source.quota_source == "unlimited" else quota_of(source, plan)
    return (source.stage if source.on_plan else None, quota, source.state)
