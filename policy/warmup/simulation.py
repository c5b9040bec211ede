"""The rule and the plan played forward over assumed traffic: when an IP is ACTIVE, what it sends a
day, what waits, where it would pause.

Rule: nothing here decides: each day is judged by `decide` as the engine does it, a turn at its
beginning and the guard at its end, and each provider beside its IP (`policy.warmup.following`).
"""

from collections.abc import Iterable

import msgspec

from policy.warmup.decision import Case, Decision, State, decide
from policy.warmup.evidence import WATCHED, Day, counts, sums
from policy.warmup.following import at_provider, follows, stage_after, stays_behind
from policy.warmup.growth import measures
from policy.warmup.plan import Plan, limits
from policy.warmup.rule import Rule
from policy.warmup.traffic import Assumed, Mail, portions


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


class SimulatedProvider(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a provider."""

    provider: str
    stage: int
    paused: bool
    ceiling: int
    """Recipients a day."""
    sent: int
    waiting: int
    act: str
    """At the day's beginning, or the pause within it; '': none of its own."""
    sentence: str


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
    providers: tuple[SimulatedProvider, ...] = ()


class _At:
    """A provider at the IP: what it has of its own."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.stage: int | None = None
        """None: its IP's."""
        self.paused = False
        self.since = 0
        self.earned: tuple[Day, ...] = ()
        self.earned_on: int | None = None
        self.cool_until: int | None = None
        self.said: Decision | None = None
        """What it did of its own on the day that is played."""

    def case(self, of: "_Run", today: int) -> Case:
        stage, plan = self.at(of.stage), at_provider(of.start.plan, self.mail.provider)
        return Case(
            label=f"{self.mail.provider} at {of.start.label}",
            plan=plan,
            stage=stage,
            state="paused" if self.paused else "warming",
            since=max(self.since, of.since) if self.stage is None else self.since,
            today=today,
            days=_recent(self.mail.days, plan, today),
            measured=measures(self.mail.provider, sum(d.complaints for d in self.mail.days)),
            earned=self.earned,
            earned_on=self.earned_on,
            cool_until=self.cool_until,
        )

    def at(self, of_ip: int) -> int:
        return of_ip if self.stage is None else min(self.stage, of_ip)

    def follow(self, found: Decision, case: Case, rule: Rule, cool: int, of_ip: int) -> None:
        self.stage = stage_after(found, own=self.stage, stage=case.stage, of_ip=of_ip)
        self.earned, self.earned_on = _earned(found, case, rule)
        self.paused = found.act == "pause"
        self.cool_until = case.today + cool if self.paused and cool else None
        self.since = case.since if found.act == "hold" else case.today
        self.said = found


class _Run:
    def __init__(self, start: Start, rule: Rule, assumed: Assumed) -> None:
        self.start, self._rule, self._assumed = start, rule, assumed
        self.stage, self.state, self.quota = start.stage, start.state, start.quota
        self.since = start.today if start.since is None else start.since
        self.days = [d for d in start.days if d.day < start.today]
        self.earned: tuple[Day, ...] = ()
        self.earned_on: int | None = None
        self.cool_until: int | None = None
        self._mail = assumed.mail()
        self.providers = [_At(one) for one in self._mail if one.provider]

    @property
    def allowed(self) -> int:
        if self.state == "paused":
            return 0
        return self.quota or limits(self.start.plan, self.stage).quota

    @property
    def waiting(self) -> int:
        return sum(one.waiting for one in self._mail)

    def ceilings(self) -> dict[str, int]:
        """Recipients a day of each provider, as the plan in force has them."""
        own = {one.mail.provider: one.stage for one in self.providers if one.stage is not None}
        stage = limits(self.start.plan, self.stage, own)
        of_plan = {
            # Past its end a plan's shares stay, of more.
            name: count if name in own or not self.quota else count * self.quota // stage.quota
            for name, count in stage.ceilings.items()
        }
        return {
            one.mail.provider: 0
            if one.paused
            else min(self.allowed, of_plan.get(one.mail.provider, self.allowed))
            for one in self.providers
        }

    def look(self, today: int, *, turn: bool) -> Decision:
        case = Case(
            label=self.start.label,
            plan=self.start.plan,
            stage=self.stage,
            state=self.state,
            since=self.since,
            today=today,
            days=_recent(self.days, self.start.plan, today),
            quota=self.quota,
            earned=self.earned,
            earned_on=self.earned_on,
            cool_until=self.cool_until,
        )
        found = decide(case, self._rule, turn=turn)
        if self.state != "paused" and found.act != "pause":
            self._look_at(today, found, turn=turn)
        if found.changes:
            self._follow(found, case)
        return found

    def _look_at(self, today: int, of_ip: Decision, *, turn: bool) -> None:
        """Providers, each beside what was found of the IP."""
        for one in self.providers:
            case = one.case(self, today)
            found = decide(case, self._rule, turn=turn)
            below = one.stage is not None and case.stage < self.stage
            if follows(found, of_ip, below=below):
                continue
            if found.changes or stays_behind(found, of_ip, one.stage):
                one.follow(found, case, self._rule, self._assumed.cool_down, of_ip.stage)

    def _follow(self, found: Decision, case: Case) -> None:
        self.earned, self.earned_on = _earned(found, case, self._rule)
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
        ceilings, allowed = self.ceilings(), self.allowed
        ready = [one.ready(self._assumed.wanted, allowed) for one in self._mail]
        counts = portions(ready, [ceilings.get(one.provider) for one in self._mail], allowed)
        days = [one.send(today, n) for one, n in zip(self._mail, counts, strict=True)]
        whole = sums(days)
        self.days.append(
            Day(today, whole.relayed, whole.delivered, whole.bounced, whole.complaints)
        )
        return whole.relayed


def _recent(days: list[Day], plan: Plan, today: int) -> tuple[Day, ...]:
    return tuple(d for d in days if d.day > today - WATCHED - plan.days)


def _earned(found: Decision, case: Case, rule: Rule) -> tuple[tuple[Day, ...], int | None]:
    """The days on which a step rests, and when it was taken."""
    if found.act != "advance":
        return (), None
    quota = case.quota or limits(case.plan, case.stage).quota
    of_stage = [d for d in case.days if case.since <= d.day < case.today]
    seen = [d for d in of_stage if counts(d, quota, rule.min_use)]
    return tuple(seen[-case.plan.days :]), case.today


def simulate(start: Start, rule: Rule, assumed: Assumed, days: int) -> list[Simulated]:
    """So many days from today on."""
    run = _Run(start, rule, assumed)
    found = []
    for today in range(start.today, start.today + days):
        said: Decision | None = None
        for one in run.providers:
            one.said = None
        if today > start.today:
            turned = run.look(today, turn=True)
            said = turned if turned.changes else None
        stage, state, quota, ceilings = run.stage, run.state, run.allowed, run.ceilings()
        before = [(one.at(stage), one.paused) for one in run.providers]
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
                providers=tuple(
                    _day_of(one, was, ceilings)
                    for one, was in zip(run.providers, before, strict=True)
                ),
            )
        )
    return found


def _day_of(one: _At, was: tuple[int, bool], ceilings: dict[str, int]) -> SimulatedProvider:
    name, said = one.mail.provider, one.said
    return SimulatedProvider(
        provider=name,
        stage=was[0],
        paused=was[1],
        ceiling=ceilings[name],
        sent=one.mail.days[-1].relayed,
        waiting=one.mail.waiting,
        act="" if said is None else said.act,
        sentence="" if said is None else said.sentence,
    )


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
