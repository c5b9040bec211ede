"""Judges an IP and each provider at it: from rows to decisions. Pure.

Rule: the IP first; what is decided of it says what its providers may follow. A provider that
evidence holds stays below while its IP goes on; one whose evidence is thin follows, since mail to
it is what is thin. An IP that is paused, or is by this, has no providers to judge.
"""

from collections.abc import Iterable, Mapping

import msgspec

from control.warmup.evidence import Seen, signals_of
from control.warmup.source import DECIDED, Kept, Source, plan_of, quota_of
from policy.limits import DAY, day_of
from policy.warmup.decision import Case, Decision, decide
from policy.warmup.evidence import Day, counts
from policy.warmup.following import STEPS, at_provider, follows
from policy.warmup.growth import later, measures
from policy.warmup.plan import Plan, limits
from policy.warmup.rule import Rule

HEARD = 0.5
"""Of what was relayed on counted days, so much has to have ended for a step: an IP whose bounces
nobody tells is not one that has none."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided of an IP, or of a provider at it."""

    source: Source
    provider: str
    """'': of the IP."""
    decision: Decision
    since: int
    """When what was judged began, calendar milliseconds."""
    stage: int | None
    """Before it."""
    state: str
    quota: int | None
    plan: Plan
    earned: tuple[int, ...] = ()
    """Days that a step rests on."""
    last_mail: int | None = None
    of_ip: int = 1
    """Of a provider: the stage at which its IP is after what was decided of it."""

    @property
    def changes(self) -> bool:
        """Whether rows of the plan follow from it."""
        return self.decision.changes

    @property
    def quota_after(self) -> int | None:
        """Recipients a day after it; None: without a limit."""
        found = self.decision
        if found.quota is not None or not self.source.on_plan:
            return found.quota or self.quota
        if found.stage == self.stage:
            return self.quota
        return limits(self.plan, found.stage).quota

    @property
    def state_after(self) -> str:
        """Of the IP, or of the provider at it."""
        act = self.decision.act
        if act in ("advance", "step_back", "resume"):
            return "warming"
        return {"pause": "paused", "finish": "active"}.get(act, self.state)


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """With what is looked."""

    now: int
    """Calendar milliseconds."""
    rule: Rule
    turn: bool
    plans: Mapping[str, Plan]
    stopped: Mapping[str, Decision] = {}
    """Tenants whose growth is stopped, and why."""

    @property
    def today(self) -> int:
        """Since the epoch."""
        return day_of(self.now)


def judge(
    looked: Looked, source: Source, kept: Mapping[tuple[str, str], Kept], seen: Seen
) -> list[Judged]:
    """Of one IP; nothing where warm-up has nothing to decide."""
    plan = plan_of(source, looked.plans)
    if plan is None or not plan.stages or source.state not in DECIDED:
        return []
    own = _of_ip(looked, source, plan, kept.get((source.name, "")), seen)
    if source.state == "paused" or own.decision.act == "pause":
        return [own]
    its = {provider for name, provider in kept if name == source.name} | set(seen.providers)
    of_providers = (
        _of_provider(looked, source, plan, provider, kept.get((source.name, provider)), seen, own)
        for provider in sorted(its - {""})
    )
    return [own, *(one for one in of_providers if one is not None)]


def _of_ip(looked: Looked, source: Source, plan: Plan, kept: Kept | None, seen: Seen) -> Judged:
    row = kept or Kept(vmta=source.name, provider="")
    today, stage = looked.today, min(source.stage or 1, max(1, len(plan.stages)))
    quota = quota_of(source, plan)
    days, since = _with_imported(source, row, seen.days.get("", ()))
    last = seen.last_mail
    silent = last
    if last is not None and source.by_hand:
        # Whoever set it where it is knew how long it had been silent.
        silent = max(last, source.since_day - 1)
    earned = () if source.by_hand else tuple(d for d in days if d.day in (row.earned or ()))
    # An old pause's end is no later one's.
    cool = row.cool_until if row.since == source.since else None
    case = Case(
        label=source.ip,
        plan=plan,
        stage=stage,
        state=source.state,  # type: ignore[arg-type]
        since=since,
        today=today,
        days=days,
        quota=quota if source.grown is not None else 0,
        earned=earned,
        earned_on=None if source.by_hand else row.earned_on,
        last_mail=silent,
        idle_taken=row.idle_taken if row.idle_mail == last else 0,
        cool_until=cool,
        override=row.standing(looked.now),
    )
    turn = looked.turn and source.on_plan
    decision = decide(case, looked.rule, turn=turn)
    if decision.act == "resume" and row.cool_same:
        decision = _as_before(case, decision)
    counted = _counted(case, looked.rule)
    if decision.act in STEPS:
        decision = _heard(case, decision)
    if decision.act in STEPS and (why := looked.stopped.get(source.tenant)) is not None:
        decision = later(decision, why)
    if decision.act == "hold":
        decision = msgspec.structs.replace(decision, stage=stage)
    return Judged(
        source=source,
        provider="",
        decision=decision,
        since=source.since,
        stage=stage if source.on_plan else None,
        state=source.state,
        quota=None if source.quota_source == "unlimited" else quota,
        plan=plan,
        earned=tuple(d.day for d in counted) if decision.act == "advance" else (),
        last_mail=last,
    )


def _of_provider(
    looked: Looked,
    source: Source,
    whole: Plan,
    provider: str,
    kept: Kept | None,
    seen: Seen,
    own: Judged,
) -> Judged | None:
    """None: it goes where its IP goes."""
    row = kept or Kept(vmta=source.name, provider=provider)
    of_ip = min(source.stage or 1, len(whole.stages))
    stage = of_ip if row.stage is None else min(row.stage, of_ip)
    since = max(row.since or 0, source.since if row.stage is None else 0)
    plan = at_provider(whole, provider)
    quota = limits(plan, stage).quota
    days = seen.days.get(provider, ())
    today, rule = looked.today, looked.rule
    case = Case(
        label=f"{provider} at {source.ip}",
        plan=plan,
        stage=stage,
        state="paused" if row.paused else "warming",
        since=day_of(since),
        today=today,
        days=days,
        measured=measures(provider, sum(d.complaints for d in days)),
        earned=tuple(d for d in days if d.day in (row.earned or ())),
        earned_on=row.earned_on,
        signals=signals_of(
            seen,
            provider,
            since=since,
            since_day=day_of(since),
            today=today,
            quota=quota,
            min_use=rule.min_use,
        ),
        cool_until=row.cool_until,
        override=row.standing(looked.now),
    )
    decision = decide(case, rule, turn=looked.turn and source.on_plan)
    if decision.act == "resume" and row.cool_same:
        decision = _as_before(case, decision)
    if decision.act == "advance" and looked.turn:
        decision = _heard(case, decision)
    below = row.stage is not None and stage < of_ip
    if follows(decision, own.decision, below=below):
        return None
    if decision.act == "advance" and (why := looked.stopped.get(source.tenant)) is not None:
        decision = later(decision, why)
    return Judged(
        source=source,
        provider=provider,
        decision=decision,
        since=since,
        stage=stage if source.on_plan else None,
        state="paused" if row.paused else "warming",
        quota=quota,
        plan=plan,
        earned=tuple(d.day for d in _counted(case, rule)) if decision.act == "advance" else (),
        of_ip=own.decision.stage,
    )


def _with_imported(source: Source, row: Kept, days: tuple[Day, ...]) -> tuple[tuple[Day, ...], int]:
    """(days, the first of the stage), with those it had elsewhere."""
    if row.imported is None or row.imported.at != source.since or not row.imported.days:
        return days, source.since_day
    ours = {d.day for d in days}
    before = tuple(d for d in row.imported.days if d.day not in ours)
    return (*before, *days), min(d.day for d in row.imported.days)


def _as_before(case: Case, decision: Decision) -> Decision:
    """A pause by hand takes no stage."""
    quota = limits(case.plan, case.stage).quota
    return msgspec.structs.replace(
        decision,
        rule="expired",
        stage=case.stage,
        sentence=f"{case.label} sends again at stage {case.stage} ({quota:,} a day): the pause by "
        "hand has ended.",
    )


def _heard(case: Case, decision: Decision) -> Decision:
    of = decision.counted
    ended = of.delivered + of.bounced
    if ended >= HEARD * of.relayed:
        return decision
    return msgspec.structs.replace(
        decision,
        act="hold",
        rule="unheard",
        stage=case.stage,
        quota=None,
        severity="warning",
        sentence=f"{case.label} stays at stage {case.stage}: accounting has told what became of "
        f"{ended:,} of {of.relayed:,} recipients, and a step needs half of them.",
    )


def _counted(case: Case, rule: Rule) -> Iterable[Day]:
    """The days that a step rests on."""
    quota = case.quota or limits(case.plan, case.stage).quota
    seen = sorted((d for d in case.days if case.since <= d.day < case.today), key=lambda d: d.day)
    return [d for d in seen if counts(d, quota, rule.min_use)][-case.plan.days :]


def end_of(cool_down: int, now: int) -> int | None:
    """The day on which a pause that warm-up makes ends; None: by hand alone."""
    return now // DAY + cool_down if cool_down else None
