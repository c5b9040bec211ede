"""When held mail will be gone, and whether more may join it.

Owns: the projection, and the admission that follows from it. Not here: counting (`control`, the
hold), what delays or defers (`gateway`).
Rule: a lower bound, told as such. A day is a full day of quota; the mail that arrives meanwhile,
mailbox maxima, tenants' rates and warm-up's next stages are not in it. Sending hours are: a day has
its whole quota in them, however short they are, and nothing goes before they begin.
Failure: none; `math.inf` where nothing is coming.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

import msgspec

from policy.limits import day_of, opens_at
from policy.model import UNLIMITED, HoldBounds, IpState, Pool, VirtualMta, Window
from policy.overflow import chain
from policy.plan import Generation

MOST_DAYS = 60
"""Days of a schedule: twice the usual greatest age."""

Group = tuple[str, str]
"""(pool, provider)."""


class Backlog(msgspec.Struct, frozen=True):
    """What waits of one tenant."""

    groups: dict[Group, int] = {}
    """Recipients by (pool, provider)."""
    messages: int = 0
    octets: int = 0


class Day(msgspec.Struct, frozen=True):
    """How many recipients of a group go on one of the next days."""

    pool: str
    provider: str
    offset: int
    """0 is the first full day."""
    count: int
    remaining: int
    """After that day."""


class _Budget(msgspec.Struct):
    """Recipients a day that several groups share, and how many of them wait."""

    size: int
    backlog: int = 0

    @property
    def days(self) -> float:
        return self.backlog / self.size


def coming(
    pool: Pool,
    pools: Mapping[str, Pool],
    vmtas: Mapping[str, VirtualMta],
    provider: str | None,
) -> int | None:
    """Recipients a day that a pool with its overflow chain may give a provider, or all of them
    (`provider` None). None = unlimited, 0 = nothing.

    What is paused counts only where all is: nobody knows when a pause ends, and taking it for
    "never" would refuse the very mail that the hold is there to keep."""
    return _sum(_reach(pool, pools, vmtas), vmtas, provider)


def waits(backlog: Backlog, generation: Generation) -> dict[Group, float]:
    """Projected days until each group is gone; `math.inf` where nothing is coming.

    Every budget a group draws on binds it: its own ceiling; the day's total of its pool, which all
    providers share; and both once more for all pools that share IPs with it."""
    budgets = _budgets(backlog, generation)
    return {
        group: max((b.days for b in budgets[group]), default=0.0) if group in budgets else math.inf
        for group, count in backlog.groups.items()
        if count > 0
    }


def wait_days(backlog: Backlog, generation: Generation) -> tuple[float, Group | None]:
    """The longest of `waits`, and whose it is; (0.0, None) when nothing has to wait."""
    days, group = max(
        ((days, group) for group, days in sorted(waits(backlog, generation).items())),
        key=lambda pair: pair[0],
        default=(0.0, None),
    )
    return days, group if days else None


def schedule(backlog: Backlog, generation: Generation) -> list[Day]:
    """What goes on which day, by pool, provider and day: at most `MOST_DAYS`, and every group's
    last row says what remains. A group for which nothing is coming has one row, of 0."""
    budgets = _budgets(backlog, generation)
    left = {group: backlog.groups[group] for group in sorted(budgets)}
    rows = [
        Day(*group, 0, 0, count)
        for group, count in backlog.groups.items()
        if count > 0 and group not in budgets
    ]
    for offset in range(MOST_DAYS):
        for group, count in _one_day(left, budgets).items():
            left[group] -= count
            for budget in budgets[group]:
                budget.backlog -= count
            if count or offset == MOST_DAYS - 1:
                rows.append(Day(*group, offset, count, left[group]))
        left = {group: count for group, count in left.items() if count}
    return sorted(rows, key=lambda row: (row.pool, row.provider, row.offset))


class Admission(msgspec.Struct, frozen=True):
    """Whether one more message may wait, and how slowly it is answered."""

    accept: bool
    delay: float
    """Seconds before the final reply, of a refusal too: a synchronous client slows down by it."""
    share: float
    """Of the fullest bound; 1 is full, a bound of 0 always is."""
    bound: Literal["messages", "octets", "wait"]
    projected_days: float
    """Until what waits now is gone; `math.inf` when nobody can say."""


def admit(
    bounds: HoldBounds,
    backlog: Backlog,
    wait_days: float,
    *,
    slow_from: float,
    slow_most: float,
) -> Admission:
    """From `slow_from` of a bound the delay grows evenly, to `slow_most` seconds at the bound.

    `wait_days`: the function of that name, or the wait (`waits`) of the group to be joined, so
    that a pool without IPs refuses its own mail only. At a bound nothing more is taken, unless
    the tenant holds on (`past`); a bound of 0 is no size but a "no", and holds nothing ever."""
    shares: dict[Literal["messages", "octets", "wait"], float] = {
        "messages": backlog.messages / bounds.messages if bounds.messages else 1.0,
        "octets": backlog.octets / bounds.octets if bounds.octets else 1.0,
        "wait": wait_days * 86_400 / bounds.age,
    }
    bound = max(shares, key=lambda name: shares[name])
    share = shares[bound]
    full = share >= 1
    never = not bounds.messages or not bounds.octets
    slowness = 1.0 if full else max(0.0, share - slow_from) / max(1 - slow_from, 1e-9)
    return Admission(
        accept=not never and (not full or bounds.past == "accept"),
        delay=slow_most * min(slowness, 1.0),
        share=share,
        bound=bound,
        projected_days=wait_days,
    )


_BOUNDS = {"messages": "on messages", "octets": "on octets", "wait": "on waiting time"}


def gone_by(days: float, now: int, window: Window | None) -> date | None:
    """The UTC day on which the last of what needs `days` full days goes, None where nobody knows.

    What is left of today counts for nothing, for its quota may be used; where no quota binds, mail
    goes today, unless the sending hours begin again on another day only. `now` in milliseconds."""
    if not days < date.max.toordinal():
        return None
    today, full = day_of(now), math.ceil(days)
    first = day_of(opens_at(window, now) or now)
    ordinal = date(1970, 1, 1).toordinal() + max(today + full, first + max(full - 1, 0))
    return date.fromordinal(ordinal) if 1 <= ordinal <= date.max.toordinal() else None


def defer_sentence(admission: Admission, now: int, window: Window | None) -> str:
    """The text of a deferral, ASCII in one line. `now` in milliseconds of calendar time."""
    begin = f"no more of your mail may wait here (bound {_BOUNDS[admission.bound]}); "
    gone = gone_by(admission.projected_days, now, window)
    if gone is None:
        return begin + "nobody can say when what waits now will be gone"
    return begin + f"what waits now will be gone by {gone.isoformat()}"


def _one_day(left: Mapping[Group, int], budgets: Mapping[Group, list[_Budget]]) -> dict[Group, int]:
    """Each group's even part of the days it needs, which fits every budget; then what is free goes
    to those that need longest. So the last one is gone on the day the projection says."""
    need = {group: max((b.days for b in budgets[group]), default=0.0) for group in left}
    free = {id(b): b.size for group in left for b in budgets[group]}
    goes = dict.fromkeys(left, 0)
    for even in (True, False):
        for group in sorted(left, key=lambda group: (-need[group], -left[group], group)):
            waiting = left[group] - goes[group]
            wanted = int(waiting / need[group]) if even and need[group] > 1 else waiting
            count = min([wanted, *(free[id(b)] for b in budgets[group])])
            goes[group] += count
            for budget in budgets[group]:
                free[id(budget)] -= count
    return goes


def _budgets(backlog: Backlog, generation: Generation) -> dict[Group, list[_Budget]]:
    """The limited budgets of each group that has mail waiting and something coming."""
    reach = {
        name: _reach(pool, generation.pool, generation.vmta)
        for name in sorted({name for name, _ in backlog.groups})
        if (pool := generation.pool.get(name)) is not None
    }
    shared = _shared(reach)
    known: dict[tuple[frozenset[str], str | None], int | None] = {}
    made: dict[tuple[frozenset[str], str | None], _Budget] = {}
    found: dict[Group, list[_Budget]] = {}
    for (name, provider), count in backlog.groups.items():
        if count <= 0 or name not in reach:
            continue
        keys = {(scope, of) for scope in (reach[name], shared[name]) for of in (provider, None)}
        for key in keys - known.keys():
            known[key] = _sum(key[0], generation.vmta, key[1])
        # What can never go takes nothing from the others.
        if known[reach[name], provider] == 0:
            continue
        own = found[name, provider] = []
        for key in keys:
            if (size := known[key]) is not None:
                budget = made.setdefault(key, _Budget(size))
                budget.backlog += count
                own.append(budget)
    return found


def _reach(
    pool: Pool, pools: Mapping[str, Pool], vmtas: Mapping[str, VirtualMta]
) -> frozenset[str]:
    """The VirtualMTAs that carry a pool's mail."""
    running, paused = set(), set()
    for step in chain(pool, pools):
        for name in step.members:
            state = vmtas[name].state if name in vmtas else IpState.RETIRING
            if state.sends and not step.paused:
                running.add(name)
            elif state.sends or state is IpState.PAUSED:
                paused.add(name)
    return frozenset(running or paused)


def _sum(names: Iterable[str], vmtas: Mapping[str, VirtualMta], provider: str | None) -> int | None:
    total = 0
    for name in names:
        limits = [] if vmtas[name].daily == UNLIMITED else [int(vmtas[name].daily)]
        if provider is not None and provider in vmtas[name].ceilings:
            limits.append(vmtas[name].ceilings[provider])
        if not limits:
            return None
        total += min(limits)
    return total


def _shared(reach: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """For each pool the VirtualMTAs of all pools that share some with it, directly or not."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for names in reach.values():
        first = next(iter(names), "")
        for name in names:
            parent.setdefault(name, name)
            parent[root(name)] = root(first)
    members: dict[str, set[str]] = {}
    for name in parent:
        members.setdefault(root(name), set()).add(name)
    frozen = {name: frozenset(names) for name, names in members.items()}
    return {
        pool: frozen[root(next(iter(names)))] if names else names for pool, names in reach.items()
    }
