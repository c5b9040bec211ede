"""The rule and the plan played forward over assumed traffic: when an IP is ACTIVE, what it sends a
day, what waits, where it would pause.

Rule: nothing here decides: each day is judged by `decide` as the engine does it, a turn at its
beginning and the guard at its end. What is assumed of rates is spread evenly: so many, and no luck.
"""

import math
from collections.abc import Iterable

import msgspec

from policy.warmup.decision import Case, Decision, State, decide
from policy.warmup.evidence import WATCHED, Day, counts
from policy.warmup.plan import Plan, limits
from policy.warmup.rule import Rule


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """What mail will be like; rates are shares of 1."""

    bounces: float
    complaints: float
    wanted: int | None = None
    """Recipients a day; None: as many as it may."""
    cool_down: int = 7
    """Days after which a pause ends; 0: it does not."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where it begins."""

    label: str
    plan: Plan
    today: int
    """Since the epoch."""
    stage: int = 1
    state: State = "warming"
    since: int | None = None
    """First day of its stage; None: today."""
    quota: int = 0
    """Past the plan's end; 0: the stage's."""
    days: tuple[Day, ...] = ()
    """What was seen before today."""


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """One day."""

    day: int
    stage: int
    state: State
    quota: int
    sent: int
    waiting: int
    """Recipients that were wanted and not sent by its end."""
    act: str
    """At its beginning, or the pause within it; '': none."""
    sentence: str


class _Run:
    def __init__(self, start: Start, rule: Rule, assumed: Assumed) -> None:
        self._start, self._rule, self._assumed = start, rule, assumed
        self.stage, self.state, self.quota = start.stage, start.state, start.quota
        self.since = start.today if start.since is None else start.since
        self.days = [d for d in start.days if d.day < start.today]
        self.earned: tuple[Day, ...] = ()
        self.earned_on: int | None = None
        self.cool_until: int | None = None
        self.waiting = 0
        self._bounced = self._complaints = 0.0

    @property
    def allowed(self) -> int:
        if self.state == "paused":
            return 0
        return self.quota or limits(self._start.plan, self.stage).quota

    def look(self, today: int, *, turn: bool) -> Decision:
        case = Case(
            label=self._start.label,
            plan=self._start.plan,
            stage=self.stage,
            state=self.state,
            since=self.since,
            today=today,
            days=tuple(d for d in self.days if d.day > today - WATCHED - self._start.plan.days),
            quota=self.quota,
            earned=self.earned,
            earned_on=self.earned_on,
            cool_until=self.cool_until,
        )
        found = decide(case, self._rule, turn=turn)
        if found.changes:
            self._follow(found, case)
        return found

    def _follow(self, found: Decision, case: Case) -> None:
        before = case.quota or limits(case.plan, case.stage).quota
        of_stage = [d for d in case.days if case.since <= d.day < case.today]
        self.earned, self.earned_on = (), None
        if found.act == "advance":
            seen = [d for d in of_stage if counts(d, before, self._rule.min_use)]
            self.earned, self.earned_on = tuple(seen[-case.plan.days :]), case.today
        if found.act == "pause":
            cool = self._assumed.cool_down
            self.state, self.cool_until = "paused", case.today + cool if cool else None
            return
        if found.act in ("finish", "grow"):
            self.state, self.quota = "active", found.quota or self.quota
        else:
            self.state, self.quota, self.stage = "warming", 0, found.stage
        self.since = case.today

    def send(self, today: int) -> int:
        """A day's mail."""
        wanted = self._assumed.wanted
        if wanted is None:
            sent = self.allowed
        else:
            self.waiting += wanted
            sent = min(self.allowed, self.waiting)
            self.waiting -= sent
        self._bounced += sent * self._assumed.bounces
        bounced = math.floor(self._bounced + 1e-9)
        self._bounced -= bounced
        self._complaints += (sent - bounced) * self._assumed.complaints
        complaints = math.floor(self._complaints + 1e-9)
        self._complaints -= complaints
        self.days.append(Day(today, sent, sent - bounced, bounced, complaints))
        return sent


def simulate(start: Start, rule: Rule, assumed: Assumed, days: int) -> list[Simulated]:
    """So many days from today on."""
    run = _Run(start, rule, assumed)
    found = []
    for today in range(start.today, start.today + days):
        said: Decision | None = None
        if today > start.today:
            turned = run.look(today, turn=True)
            said = turned if turned.changes else None
        stage, state, quota = run.stage, run.state, run.allowed
        sent = run.send(today)
        guarded = run.look(today, turn=False)
        if guarded.changes:
            said = guarded
        found.append(
            Simulated(
                day=today,
                stage=stage,
                state=state,
                quota=quota,
                sent=sent,
                waiting=run.waiting,
                act="" if said is None else said.act,
                sentence="" if said is None else said.sentence,
            )
        )
    return found


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """A day of several IPs."""

    day: int
    """From 0."""
    begun: int
    active: int
    capacity: int
    """Recipients a day."""


def growth(
    plan: Plan, rule: Rule, assumed: Assumed, *, ips: int, every: int, days: int
) -> list[Total]:
    """IPs that begin `every` days one after another, each as `simulate` has it."""
    start = Start(label="an IP", plan=plan, today=0)
    one = simulate(start, rule, assumed, days)
    return [_total(one, day, ips, every) for day in range(days)]


def _total(one: list[Simulated], day: int, ips: int, every: int) -> Total:
    ages = range(day, -1, -every)[:ips]
    seen: Iterable[Simulated] = [one[age] for age in ages]
    return Total(
        day=day,
        begun=len(ages),
        active=sum(s.state == "active" for s in seen),
        capacity=sum(s.quota for s in seen),
    )
