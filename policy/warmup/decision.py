"""What follows from the evidence about an IP, or about a provider at it, and the sentence that says
why.

Rule, in its order: what is paused stays so until its cool-down has passed; a block by the provider
or a proven rate pauses; a window that earned the last step and went bad since, or a reputation
that a provider put off on three of seven days, takes a stage back; silence lowers; everything that
is not good enough holds; seven good counted days advance. The same evidence gives the same
decision however often it is asked, and in whatever order its days come.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from policy.number import agree
from policy.number import count as numbered
from policy.warmup.evidence import Day, Sums, Window, sums, window
from policy.warmup.idle import idle_days, stages_lower
from policy.warmup.plan import Plan, limits
from policy.warmup.rule import Limit, Rule, proof, verdict

Act = Literal["advance", "finish", "grow", "hold", "pause", "step_back", "resume", "nothing"]
"""`finish`: past the last stage, ACTIVE; `grow`: more than the plan's last quota."""
State = Literal["warming", "active", "paused"]

STEP_BACK_DAYS = 3
"""Days of the last seven with a reputation deferral that take a stage back."""
CALM_DAYS = 7
"""Counted days without one before growth goes on."""
REJUDGED = 7
"""Days for which the window that earned a step is judged again."""


class Signals(msgspec.Struct, frozen=True):
    """What providers said about the IP in words."""

    blocked: str = ""
    """The rule that named a block since sending began last; '': none did."""
    rate_days: int = 0
    """Days of the last seven with a reputation deferral, since the stage began."""
    calm_days: int | None = None
    """Counted days since the last of them; None: there was none."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One IP, one provider at it, or a tenant's pool at a provider, at one time."""

    label: str
    """As it stands in the sentence: `192.0.2.10`, `gmail at 192.0.2.10`."""
    plan: Plan
    stage: int
    state: State
    since: int
    """First day of the stage, or of sending again; a day is counted from the epoch."""
    today: int
    days: tuple[Day, ...]
    quota: int = 0
    """What it may send a day, where that is not its stage's."""
    measured: bool = True
    """Whether the provider reports complaints."""
    earned: tuple[Day, ...] = ()
    """The counted days that earned the last step, as they are known now."""
    earned_on: int | None = None
    signals: Signals = Signals()
    last_mail: int | None = None
    idle_taken: int = 0
    """Stages that the present silence took already."""
    cool_until: int | None = None
    """The day on which a pause ends by itself; None: by hand."""
    override: str = ""
    """An act by hand that stands, in words; '': none does."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    act: Act
    rule: str
    """The name of what decided."""
    sentence: str
    stage: int
    """After it."""
    quota: int | None = None
    """After it, where that is not the stage's."""
    counted: Sums = Sums()
    watched: Sums = Sums()
    severity: Literal["", "info", "warning", "critical"] = ""
    """Of the alert; '': none."""

    @property
    def changes(self) -> bool:
        """Whether the plan in force has to follow."""
        return self.act not in ("hold", "nothing")


def quota_of(case: Case) -> int:
    """What the case may send a day."""
    return case.quota or limits(case.plan, case.stage).quota


def decide(case: Case, rule: Rule, *, turn: bool) -> Decision:
    """`turn`: a day has ended, so that steps may be taken; else the guard alone looks."""
    if case.state == "paused":
        return _paused(case)
    seen = window(
        case.days,
        since=case.since,
        today=case.today,
        quota=quota_of(case),
        min_use=rule.min_use,
        most=case.plan.days,
    )
    found = _guard(case, rule, seen.watched) or _back(case, rule, turn=turn)
    if found is None:
        found = _stays(case, rule, seen, turn=turn) or _ahead(case, seen)
    return msgspec.structs.replace(found, counted=seen.counted, watched=seen.watched)


def _paused(case: Case) -> Decision:
    if case.cool_until is None or case.today < case.cool_until:
        return _decision(case, "nothing", "paused", f"{case.label} is paused")
    stage = max(1, case.stage - 1)
    quota = limits(case.plan, stage).quota
    text = f"{case.label} sends again at stage {stage} ({quota} a day): its cool-down has passed"
    return _decision(case, "resume", "cool_down", text, stage=stage, severity="info")


def _guard(case: Case, rule: Rule, watched: Sums) -> Decision | None:
    """A pause, where something is proven."""
    if case.signals.blocked:
        text = f"{case.label} pauses: the provider blocks the IP ({case.signals.blocked})"
        return _decision(case, "pause", "block", text, severity="critical")
    for name, count, of, limit in _rates(case, rule, watched):
        if verdict(count, of, limit, rule) != "proven":
            continue
        text = said(name, count, of, limit)
        if rule.guard == "proof":
            text += f", which a healthy IP shows less than once in {round(1 / rule.doubt):,} times"
        grave: Literal["warning", "critical"] = "critical" if name == "complaints" else "warning"
        if case.plan.breach == "step_back" and case.stage > 1:
            return _lower(case, 1, name, text, severity=grave)
        return _decision(case, "pause", name, f"{case.label} pauses: {text}", severity=grave)
    return None


def _back(case: Case, rule: Rule, *, turn: bool) -> Decision | None:
    """A stage back, where late reports, a provider or silence ask for it."""
    if _rejudged(case) and not case.override:
        seen = sums(case.earned)
        for name, count, of, limit in _rates(case, rule, seen):
            if verdict(count, of, limit, rule) == "proven":
                text = said(name, count, of, limit)
                why = f"late reports about the days that earned its step: {text}"
                return _lower(case, 1, f"late_{name}", why, severity="warning")
    if not turn or case.override:
        return None
    if case.signals.rate_days >= STEP_BACK_DAYS and case.stage > 1:
        why = f"its reputation was why mail was put off on {case.signals.rate_days} of 7 days"
        return _lower(case, 1, "reputation", why, severity="warning")
    idle = idle_days(case.last_mail, case.today)
    lower = stages_lower(idle) - case.idle_taken
    if lower > 0 and case.stage > 1:
        why = f"it sent nothing for {numbered(idle, 'day')}"
        return _lower(case, lower, "idle", why, severity="info")
    return None


def _stays(case: Case, rule: Rule, seen: Window, *, turn: bool) -> Decision | None:
    """A hold, and why; None: nothing is in the way of a step."""
    if case.override:
        return _decision(case, "nothing", "override", f"{case.label} is kept: {case.override}")
    judged = [seen.watched, seen.counted]
    if _rejudged(case):
        judged.append(sums(case.earned))
    for sum_ in judged:
        for name, count, of, limit in _rates(case, rule, sum_):
            if verdict(count, of, limit, rule) != "under":
                return _over(case, rule, name, count, of, limit)
    if not turn:
        return _decision(case, "nothing", "good", f"{case.label} goes on at stage {case.stage}")
    calm = case.signals.calm_days
    if calm is not None and calm < CALM_DAYS:
        passed = f"{calm} of {CALM_DAYS} calm days {agree(calm, 'has', 'have')} passed"
        why = f"a provider doubted its reputation; {passed}"
        return _held(case, "reputation", why)
    share = seen.watched.deferred_share
    if case.signals.calm_days is None and share >= rule.deferred:
        return _held(case, "deferred", f"{_percent(share)} of its attempts are put off")
    if seen.counted.days < case.plan.days:
        why = (
            f"{seen.counted.days} of {numbered(case.plan.days, 'counted day')}, those on which at "
            "least "
            f"{_percent(rule.min_use)} of {quota_of(case):,} a day are used"
        )
        return _held(case, "thin", why)
    return None


def _ahead(case: Case, seen: Window) -> Decision:
    counted = seen.counted
    complaints = "complaints not measured"
    if case.measured:
        complaints = numbered(counted.complaints, "complaint")
    why = (
        f"{numbered(counted.days, 'counted day')}, {counted.relayed:,} relayed, "
        f"{counted.bounced:,} {agree(counted.bounced, 'bounce', 'bounces')} "
        f"({_percent(_share(counted.bounced, counted.relayed))}), {complaints}"
    )
    if case.measured:
        why += f" ({_percent(_share(counted.complaints, counted.delivered))})"
    if case.stage < len(case.plan.stages):
        stage = case.stage + 1
        quota = limits(case.plan, stage).quota
        text = f"{case.label} takes stage {stage} ({quota:,} a day): {why}"
        return _decision(case, "advance", "earned", text, stage=stage, severity="")
    if case.state == "warming":
        text = f"{case.label} is ACTIVE at {quota_of(case):,} a day: {why}"
        return _decision(case, "finish", "earned", text, severity="info")
    grown = int(quota_of(case) * case.plan.growth)
    if grown > quota_of(case):
        text = f"{case.label} grows to {grown:,} a day: {why}"
        return _decision(case, "grow", "earned", text, quota=grown)
    return _decision(case, "nothing", "active", f"{case.label} stays at {quota_of(case):,} a day")


def _over(case: Case, rule: Rule, name: str, count: int, of: int, limit: Limit) -> Decision:
    text = said(name, count, of, limit)
    more = proof(of, limit, rule) - count
    if more > 0:
        text += f"; {more} more would pause it"
    return _held(case, name, text, severity="critical" if name == "complaints" else "warning")


def _held(
    case: Case, rule: str, why: str, *, severity: Literal["", "warning", "critical"] = ""
) -> Decision:
    text = f"{case.label} stays at stage {case.stage}: {why}"
    return _decision(case, "hold", rule, text, severity=severity)


def _lower(
    case: Case, by: int, rule: str, why: str, *, severity: Literal["info", "warning", "critical"]
) -> Decision:
    """Some stages back; from the first one there is no way but a pause, silence apart."""
    if case.stage == 1:
        text = f"{case.label} pauses, since no stage is below its own: {why}"
        return _decision(case, "pause", rule, text, severity="critical")
    stage = max(1, case.stage - by)
    quota = limits(case.plan, stage).quota
    text = f"{case.label} goes back to stage {stage} ({quota:,} a day): {why}"
    return _decision(case, "step_back", rule, text, stage=stage, severity=severity)


def _decision(
    case: Case,
    act: Act,
    rule: str,
    text: str,
    *,
    stage: int | None = None,
    quota: int | None = None,
    severity: Literal["", "info", "warning", "critical"] = "",
) -> Decision:
    return Decision(
        act=act,
        rule=rule,
        sentence=f"{text}.",
        stage=case.stage if stage is None else stage,
        quota=quota,
        severity=severity,
    )


def _rejudged(case: Case) -> bool:
    return case.earned_on is not None and case.today - case.earned_on < REJUDGED


def _rates(case: Case, rule: Rule, of: Sums) -> Iterable[tuple[str, int, int, Limit]]:
    """(name, count, of how many, limit); complaints first, they weigh more."""
    if case.measured:
        yield "complaints", of.complaints, of.delivered, rule.complaints
    yield "bounces", of.bounced, of.relayed, rule.bounces


def said(name: str, count: int, of: int, limit: Limit) -> str:
    """A rate in words."""
    among = "relayed" if name == "bounces" else "delivered"
    return (
        f"{count:,} {agree(count, name.removesuffix('s'), name)} of {of:,} {among} "
        f"({_percent(_share(count, of))}), where the limit is {_percent(limit.most)}"
    )


def _share(count: int, of: int) -> float:
    return count / of if of else float(count > 0)


def _percent(share: float) -> str:
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"
